"""An operator's order: who gives it, why, and whether it is only tried. Done and recorded in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record, require_who_and_why
from billing.db.base import Json
from billing.flows.once import Once
from billing.flows.parts import Parts


@dataclass(frozen=True, slots=True)
class Order:
    """Who and why stand in the audit trail beside what was done. A dry run does everything, then takes it back.

    `once`: what is done and the answer to who asked for it are one transaction, and a repeat gets that answer.
    `expected_version`: what the one who gives it saw of its subject; where that is another by now, `Stale`.
    `expected_findings`: the same of what an audit says of it, as `findings_digest`, where that is to be accepted.

    Raises `Refused` as `require_who_and_why` does, before anything is done.
    """

    actor: str
    reason: str
    dry_run: bool = False
    once: Once | None = None
    expected_version: int | None = None
    expected_findings: str | None = None
    look: Callable[[Session], None] | None = field(default=None, compare=False, repr=False)
    """Takes its subject, as the flow does after it in the same transaction, and raises where that is not as ordered."""
    wrote: list[UUID] = field(default_factory=list, compare=False, repr=False)
    """Ids of the rows that were written for it, where a flow hands them over: for `once`, whose answer shows them."""

    def __post_init__(self) -> None:
        require_who_and_why(self.actor, self.reason)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an order about one thing. `changed` is false where there was nothing to do; `told` says it."""

    subject_id: UUID
    name: str
    changed: bool
    told: str
    refused: str | None = None
    """The code of a refusal, where orders about many things go on after one."""


@contextmanager
def carry_out(parts: Parts, order: Order) -> Iterator[Session]:
    """A transaction for one order: committed at the end, or undone, its messages too, if the order is only tried.

    Rows read within can't be read afterwards. Raises as `Once.claim` and `look` do, before anything is done, and as
    `begin`.
    """
    with parts.begin() as session:
        if order.once is not None:
            order.once.claim(session)
        if order.look is not None:
            order.look(session)
        yield session
        if order.dry_run:
            session.rollback()
        elif order.once is not None:
            order.once.keep(session)


def note(
    parts: Parts,
    session: Session,
    order: Order,
    *,
    action: str,
    subject_type: str,
    subject_id: UUID,
    seller_id: UUID | None,
    before: Json,
    after: Json,
) -> None:
    """Write the order into the audit trail, at business time."""
    record(
        session,
        actor=order.actor,
        action=action,
        reason=order.reason,
        subject_type=subject_type,
        subject_id=subject_id,
        seller_id=seller_id,
        before=before,
        after=after,
        now=parts.clock.now(session),
    )
