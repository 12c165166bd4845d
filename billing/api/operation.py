"""An operation of the API: its address, its shapes, the scope that it needs, what is called.

One table of them makes both the routes and the document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.api.shapes import Paging, Shape
from billing.flows.once import Answer, Once, answered
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.validators.api_key import Scope

BY_REQUEST = "requested through the API"
"""The reason in the trail where the request gives none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `body` and `query` are checked before `act` is called with the request."""

    method: str
    path: str
    name: str
    about: str
    scope: Scope
    act: Callable[[Call], Any]
    answer: type[Shape]
    body: type[Shape] | None = None
    query: type[Shape] | None = None
    status: int = 200
    versioned: bool = False
    """Whether `If-Match` may say which version of it was seen."""
    body_limit: int = 64 * 1024
    """Bytes."""

    media: str = "application/json"
    """Of the answer; where it is another, `act` returns bytes."""

    @property
    def changes(self) -> bool:
        """Whether an `Idempotency-Key` is needed."""
        return self.method == "POST"


@dataclass(slots=True)
class Call:
    """A request that was let in, its parts read. `parts` sees rows of this seller alone."""

    parts: Parts
    seller_id: UUID
    actor: str
    operation: Operation
    scopes: frozenset[str]
    """Of its key."""
    body: Any = None
    query: Any = None
    path: dict[str, Any] = field(default_factory=dict)
    version: int | None = None
    key: str | None = None
    request: bytes = b""
    answer: Answer | None = None

    @property
    def id(self) -> UUID:
        """The id in the address."""
        found: UUID = self.path["id"]
        return found

    def require(self, scope: Scope) -> None:
        """Raise `Refused` (`scope_missing`) where the key has not what this request needs."""
        if scope not in self.scopes:
            mend = f"the key needs the scope {scope}; `billing keys create` makes one"
            raise Refused(Fault("Authorization", "scope_missing", mend))

    @property
    def paging(self) -> Paging:
        """Which part of a list is asked for."""
        assert isinstance(self.query, Paging)
        return self.query

    def order(self, tell: Callable[[Session], Shape], *, reason: str | None = None) -> Order:
        """The order to hand to a flow: answered by `tell`, within the transaction of its effect."""
        return Order(actor=self.actor, reason=reason or BY_REQUEST, once=self.once(tell), expected_version=self.version)

    def bare_order(self, reason: str) -> Order:
        """Who asks, and why, for what is done within `do`."""
        return Order(actor=self.actor, reason=reason, expected_version=self.version)

    def once(self, tell: Callable[[Session], Shape]) -> Once:
        """This request, under its key, answered by `tell`."""
        assert self.key is not None

        def told(session: Session) -> Answer:
            self.answer = Answer(self.operation.status, tell(session).model_dump_json())
            return self.answer

        return Once(self.parts.keyring, seller_id=self.seller_id, key=self.key, request=self.request, tell=told)

    def do(self, act: Callable[[Session], Shape]) -> None:
        """One transaction: what `act` does, and the answer that it returns."""
        made: list[Shape] = []
        with answered(self.parts, self.once(lambda _: made[0])) as session:
            made.append(act(session))


def missing(noun: str) -> Refused:
    """There is nothing of that id, for this seller."""
    return Refused(Fault(noun, "not_found", f"give the id of a {noun.replace('_', ' ')} of yours"))
