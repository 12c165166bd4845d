"""Orders of the console that need a second person above an amount: asked, approved by another, carried out once.

The row is the order: its id came with the form, so a form sent twice is one order. It is claimed in a transaction of
its own before it is carried out, and the flows write their own trail. Where a process ended between the two, or the
database failed after a part was written, the sweep calls the order unclear, and a person looks into the trail of what
it was about; it is never carried out anew by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record, require_who_and_why
from billing.db.clock import wall_now
from billing.db.failures import nothing_written, watch_writes
from billing.flows.order import Order
from billing.flows.ordering import CARRIED_OUT, Wanted
from billing.flows.parts import Parts
from billing.kernel.errors import (
    Fault,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUncertain,
    Refused,
    Stale,
)
from billing.kernel.moves import require_move
from billing.kernel.status import OrderStatus
from billing.models import Operator, OperatorOrder
from billing.rules.permission import MONEY_OF_WORK, Permission, may, needed_for
from billing.rules.second_person import Limits, needs_second

EXPIRES = DAY = timedelta(hours=24)
_NOT_DONE = {
    OrderStatus.REFUSED: "order_refused",
    OrderStatus.DECLINED: "order_declined",
    OrderStatus.EXPIRED: "order_expired",
    OrderStatus.UNCLEAR: "order_unclear",
}
"""In which nothing was done, or nobody knows; and by which code a repeat is told so."""
_UNCLEAR_AFTER = timedelta(minutes=15)
"""Longer than any order takes: its process has ended."""

_UNANSWERED = (
    "the provider did not answer: it may have withdrawn its request for the money, our books are as they were;"
    " order it anew, which asks it again under the same key"
)
_NOT_WRITTEN = (
    "nothing was written: the database could not be used just then, or others held a row for long; order it anew"
)

_ALONE = """
SELECT sums.key AS currency, sum(CAST(sums.value AS bigint))::bigint AS amount_minor
FROM billing.operator_order o CROSS JOIN jsonb_each_text(o.facts -> 'amounts') AS sums
WHERE o.asked_by = :by AND o.created_at > :since AND o.decided_by IS NULL
  AND (o.action = 'work' AND NOT coalesce(o.facts ->> 'do' = ANY(:money), FALSE)) = :work
  AND o.status IN ('running', 'done', 'unclear')
GROUP BY sums.key
"""

_EXPIRE = """
UPDATE billing.operator_order SET status = CASE status WHEN 'waiting' THEN 'expired' ELSE 'unclear' END,
    told = CASE status WHEN 'waiting' THEN 'nobody approved it in time'
           ELSE 'its process ended in the middle; the audit trail of what it is about says whether it was done' END,
    updated_at = clock_timestamp(), version = version + 1
WHERE status IN ('waiting', 'running')
  AND (status = 'waiting' AND expires_at < clock_timestamp() OR status = 'running' AND updated_at < :stuck)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks or decides."""

    id: UUID
    name: str


def ask(parts: Parts, wanted: Wanted, *, by: Person, reason: str) -> str:
    """Carry the order out, or have it wait for a second person; says which. A repeat says how it stands.

    Raises `Refused`: `reason_missing`, and what its flow refused, which its row keeps, as it does the provider's
    errors; of a repeat as `repeated` does.
    """
    require_who_and_why(by.name, reason)
    limits = Limits.of(parts.settings.billing_second_person_above)
    with parts.begin() as session:
        # One after the other, so that two orders at once are not each reckoned without the other.
        session.get_one(Operator, by.id, with_for_update=True)
        needs = needs_second(_with_those_of_a_day(session, wanted, by), limits)
        status = OrderStatus.WAITING if needs else OrderStatus.RUNNING
        known = session.get(OperatorOrder, wanted.id)
        if known is not None:
            return _stands(known, wanted.form)
        single = next(iter(wanted.amounts.items())) if len(wanted.amounts) == 1 else (None, None)
        row = OperatorOrder(
            id=wanted.id,
            action=wanted.action,
            subject_type=wanted.subject_type,
            subject_id=wanted.subject_id,
            currency=single[0],
            amount_minor=single[1],
            facts={**wanted.facts, "amounts": dict(wanted.amounts), "form": wanted.form},
            asked_by=by.id,
            reason=reason,
            status=status,
            expires_at=wall_now(session) + EXPIRES,
        )
        session.add(row)
        session.flush()
        if needs:
            _note(parts, session, row, actor=by.name, action="order.ask", reason=reason)
    if needs:
        return "It waits for a second person."
    return _carry_out(parts, wanted.id, Order(actor=by.name, reason=reason))


def repeated(parts: Parts, order_id: UUID, *, form: str) -> str | None:
    """How the order of that form stands; None where none came by it yet. Asked before anything is read of what it is
    about, which the order may have ended.

    Raises `Refused`: `order_refused`, `order_declined`, `order_expired`, `order_unclear`; `order_differs` where the
    form said something else then, as one does that a step back in the browser shows again.
    """
    with parts.begin() as session:
        known = session.get(OperatorOrder, order_id)
        return None if known is None else _stands(known, form)


def rehearse(parts: Parts, wanted: Wanted, *, by: Person, reason: str) -> str:
    """What the order would do, and whether it would wait; nothing is changed. Raises as its flow does."""
    told = CARRIED_OUT[wanted.action](parts, wanted, Order(actor=by.name, reason=reason, dry_run=True))
    limits = Limits.of(parts.settings.billing_second_person_above)
    with parts.begin() as session:
        needs = needs_second(_with_those_of_a_day(session, wanted, by), limits)
    return f"{told}. It would wait for a second person" if needs else told


def approve(parts: Parts, order_id: UUID, *, by: Person, reason: str) -> str:
    """Carry out what somebody else asked for; says what became of it.

    Raises `Refused`: `reason_missing`, `order_not_found`, `order_not_waiting`, `order_expired`, `same_person`,
    `asker_gone`, and as `ask` what its flow refused.
    """
    require_who_and_why(by.name, reason)
    with parts.begin() as session:
        row = _waiting(session, order_id)
        asker = session.get_one(Operator, row.asked_by)
        if row.asked_by == by.id:
            raise Refused(Fault("operator", "same_person", "somebody else approves it"))
        if asker.status != "on" or not may(asker.role, needed_for(row.action, row.facts.get("do"))):
            raise Refused(Fault("operator", "asker_gone", f"{asker.name} may order that no more; decline it"))
        require_move(OrderStatus(row.status), OrderStatus.RUNNING)
        row.status, row.decided_by, row.decided_reason = OrderStatus.RUNNING, by.id, reason
        row.decided_at = wall_now(session)
        session.flush()
        _note(parts, session, row, actor=by.name, action="order.approve", reason=reason)
        order = Order(actor=asker.name, reason=f"{row.reason} (approved by {by.name}: {reason})")
    return _carry_out(parts, order_id, order)


def decline(parts: Parts, order_id: UUID, *, by: Person, reason: str) -> str:
    """Nothing is done; who asked may take it back so. Raises `Refused` as `approve` does."""
    require_who_and_why(by.name, reason)
    with parts.begin() as session:
        row = _waiting(session, order_id)
        row.status, row.decided_reason, row.decided_at = OrderStatus.DECLINED, reason, wall_now(session)
        row.decided_by = None if row.asked_by == by.id else by.id
        row.told = "taken back" if row.asked_by == by.id else "declined"
        session.flush()
        _note(parts, session, row, actor=by.name, action="order.decline", reason=reason)
        return f"It is {row.told}."


def expire(parts: Parts) -> int:
    """End what nobody approved in time, and call unclear whose process ended. Returns how many."""
    with parts.begin() as session:
        ended = session.execute(text(_EXPIRE), {"stuck": wall_now(session) - _UNCLEAR_AFTER})
        return len(ended.all())


def _with_those_of_a_day(session: Session, wanted: Wanted, by: Person) -> Mapping[str, int]:
    """What they ordered alone within a day counts with it: a large order is no smaller in parts."""
    work = needed_for(wanted.action, wanted.facts.get("do")) is Permission.WORK
    values = {"by": by.id, "work": work, "money": sorted(MONEY_OF_WORK), "since": wall_now(session) - DAY}
    rows = session.execute(text(_ALONE), values)
    alone = {row.currency: row.amount_minor for row in rows}
    return {currency: amount + alone.get(currency, 0) for currency, amount in wanted.amounts.items()}


def _waiting(session: Session, order_id: UUID) -> OperatorOrder:
    row = session.get(OperatorOrder, order_id, with_for_update=True)
    if row is None:
        raise Refused(Fault("order", "order_not_found", "the list of orders has them"))
    if row.status != OrderStatus.WAITING:
        raise Refused(Fault("order", "order_not_waiting", f"it is {row.status} already"))
    if row.expires_at <= wall_now(session):
        raise Refused(Fault("order", "order_expired", "ask for it anew"))
    return row


def _stands(known: OperatorOrder, form: str) -> str:
    if known.facts.get("form", form) != form:
        mend = f"another order came by this form, and is {known.status}; open the page anew for this one"
        raise Refused(Fault("order", "order_differs", mend))
    code = _NOT_DONE.get(OrderStatus(known.status))
    if code is not None:
        raise Refused(Fault("order", code, known.told or ""))
    return f"It was ordered already and is {known.status}."


def _as_asked(row: OperatorOrder) -> Wanted:
    return Wanted(row.id, row.action, row.subject_type, row.subject_id, row.facts["amounts"], row.facts)


def _carry_out(parts: Parts, order_id: UUID, order: Order) -> str:
    """Run its flow and keep what became of it. Raises `Refused` where it was refused."""
    sessions, writes = watch_writes(parts.sessions)
    faults: list[Fault] = []
    told = ""
    try:
        with parts.begin() as session:
            wanted = _as_asked(session.get_one(OperatorOrder, order_id))
        told = CARRIED_OUT[wanted.action](replace(parts, sessions=sessions), wanted, order)
    except Refused as refused:
        faults = refused.faults
    except Stale as error:
        faults = [Fault("order", "changed_meanwhile", f"nothing was done: {error}")]
    except ProviderUncertain:
        faults = [Fault("order", "provider_uncertain", _UNANSWERED)]
    except ProviderUnavailable:
        faults = [Fault("order", "provider_unavailable", "nothing was done; order it anew")]
    except ProviderRefused:
        faults = [Fault("order", "provider_refused", "nothing was done; order it anew")]
    except (OperationalError, PoolTimeout) as error:
        # Where no connection came free in time, there was none to write by.
        if writes.any or not (isinstance(error, PoolTimeout) or nothing_written(error)):
            raise
        faults = [Fault("order", "database_busy", _NOT_WRITTEN)]
    if faults:
        told = "; ".join(f"{fault.code.replace('_', ' ')}: {fault.mend}" for fault in faults)
    status = OrderStatus.REFUSED if faults else OrderStatus.DONE
    with parts.begin() as session:
        row = session.get_one(OperatorOrder, order_id, with_for_update=True)
        require_move(OrderStatus(row.status), status)
        row.status, row.told = status, told
    if faults:
        raise Refused(faults)
    return f"{told[:1].upper()}{told[1:]}."


def _note(parts: Parts, session: Session, row: OperatorOrder, *, actor: str, action: str, reason: str) -> None:
    record(
        session,
        actor=actor,
        action=action,
        reason=reason,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        now=parts.clock.now(session),
        after={"order": str(row.id), "action": row.action, "status": row.status, "amounts": row.facts["amounts"]},
    )
