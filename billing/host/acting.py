"""What every part of the Python API stands on: one seller, and the host's transaction where it has one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from inspect import isfunction
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from billing.flows.parts import Parts
from billing.host.joining import HostSession, within
from billing.host.owning import check_own
from billing.host.typed import typed
from billing.kernel.errors import Fault, Refused

Choice = TypeVar("Choice", bound=StrEnum)


def chosen(kind: type[Choice], field: str, value: Choice) -> Choice:
    """The member that `value` is or spells, for hosts without a type checker: "now" is no `CancelWhen.NOW` to `is`.

    Raises `Refused` (`not_one_of`): any other text had been taken for one of the two ways.
    """
    try:
        return kind(value)
    except ValueError:
        raise Refused(Fault(field, "not_one_of", f"give one of {', '.join(kind)}")) from None


class Acting:
    """One seller's billing in this process."""

    def __init__(self, parts: Parts, seller_id: UUID) -> None:
        self.parts, self.seller_id = parts, seller_id

    def __init_subclass__(cls) -> None:
        """Every method looks at the types of what it is given before it does anything."""
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if isfunction(method) and not name.startswith("_"):
                setattr(cls, name, typed(method))

    def now(self) -> datetime:
        """Business time, such as the start of what begins now."""
        with self.parts.begin() as tx:
            return self._now(tx)

    def _now(self, session: Session) -> datetime:
        return self.parts.clock.now(session)

    @contextmanager
    def _about(self, noun: str, id_: UUID, session: HostSession | None) -> Iterator[Session]:
        """The transaction of an act on one thing, once that is known to be this seller's."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, noun, id_)
            yield tx

    def _require(self, noun: str, id_: UUID) -> None:
        with self._about(noun, id_, None):
            """It is this seller's."""
