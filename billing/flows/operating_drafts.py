"""What an operator orders about a draft under review: another line, a line less, its issue."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.db.base import Json
from billing.flows import drafts
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor
from billing.kernel.status import InvoiceStatus
from billing.models import Invoice, InvoiceLine, Profile
from billing.queries.brakes import require_issuing
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile

MOST_POSITION = 100_000
"""Of a line in its document."""


def add_line(
    parts: Parts, draft_id: UUID, *, description: str, amount_minor: int, tax_rate: str | None, order: Order
) -> Done:
    """Add a line. Raises as `flows.drafts.add_line` does."""

    def act(session: Session) -> str:
        draft = drafts.add_line(
            parts, session, draft_id, description=description, amount_minor=amount_minor, tax_rate=tax_rate
        )
        return f"its total is {format_minor(draft.total_minor, draft.currency)} now"

    return _carry_out(parts, draft_id, act, action="add_line", order=order)


def remove_line(parts: Parts, draft_id: UUID, *, position: int, order: Order) -> Done:
    """Take a line off, by its place. Raises as `flows.drafts.remove_line` does."""
    taken: Json = {}

    def act(session: Session) -> str:
        of = select(InvoiceLine).where(InvoiceLine.invoice_id == draft_id, InvoiceLine.position == position)
        line = session.scalars(of).one_or_none()
        if line is None:
            mend = "give the position of a line; `billing invoice show` lists them"
            raise Refused(Fault("line", "line_not_found", mend))
        taken["line"] = _line(line)
        draft = drafts.remove_line(parts, session, draft_id, line_id=line.id)
        return f"its total is {format_minor(draft.total_minor, draft.currency)} now"

    return _carry_out(parts, draft_id, act, action="remove_line", order=order, taken=taken)


def release(parts: Parts, draft_id: UUID, *, order: Order) -> Done:
    """Issue it now. One that is issued already is left alone.

    Raises `Refused` (`issuing_stopped`, `profile_on_hold`, `invoice_on_hold`).
    """

    def act(session: Session) -> str:
        draft = session.get_one(Invoice, draft_id)
        require_issuing(session, draft.profile_id)
        if session.get_one(Profile, draft.profile_id).hold_id is not None:
            raise Refused(Fault("profile", "profile_on_hold", "a work item holds it; see `billing work list`"))
        if draft.status == InvoiceStatus.DRAFT and draft.hold_id is not None:
            mend = f"a work item holds it; see `billing work show {draft.hold_id}` for what can be decided"
            raise Refused(Fault("invoice", "invoice_on_hold", mend))
        issued = drafts.release(parts, session, [draft_id], now=parts.clock.now(session))
        return f"issued {issued[0].number}" if issued else "it is issued already; nothing was changed"

    return _carry_out(parts, draft_id, act, action="release", order=order)


def _carry_out(
    parts: Parts,
    draft_id: UUID,
    act: Callable[[Session], str],
    *,
    action: str,
    order: Order,
    taken: Json | None = None,
) -> Done:
    """`taken`: what `act` took away, once it has run; the trail keeps it beside the state before.

    The version, and what is kept as the state before, are those under the lock: another's order may have come first.
    """
    with carry_out(parts, order) as session:
        found = session.get(Invoice, draft_id)
        if found is None:
            raise Refused(Fault("invoice", "invoice_not_found", "give the id of a draft"))
        lock_profile(session, found.profile_id)
        draft = lock_invoice(session, draft_id)
        require_version(draft, order.expected_version)
        before = _of(draft)
        told = act(session)
        session.refresh(draft)
        after = _of(draft)
        note(
            parts,
            session,
            order,
            action=f"draft.{action}",
            subject_type="invoice",
            subject_id=draft.id,
            seller_id=draft.seller_id,
            before=before | (taken or {}),
            after=after,
        )
        name = draft.named
    return Done(draft_id, name, changed=before != after, told=told)


def _of(draft: Invoice) -> Json:
    return {"status": draft.status, "number": draft.number, "total_minor": draft.total_minor}


def _line(line: InvoiceLine) -> Json:
    """What the audit asks of a line that was taken off: of which price, and what was used from when to when."""
    return {
        "kind": line.kind,
        "price_id": line.price_id and str(line.price_id),
        "amount_minor": line.amount_minor,
        "counts_from": line.how.get("counts_from") or (line.period_start and format_instant(line.period_start)),
        "period_end": line.period_end and format_instant(line.period_end),
    }
