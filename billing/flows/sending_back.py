"""What becomes of money kept apart: by a person's order it goes back, or another way; what was sent back in the
dashboard is taken over."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment.settle_unapplied import settle_unapplied
from billing.commands.payment.unapplied import lock_unapplied
from billing.commands.refund.of_unapplied import adopt_unapplied, reserve_unapplied
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.flows.restoring import require_all_known
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.money import whole_steps
from billing.kernel.status import SettledAs, WorkItemStatus
from billing.kernel.work import WorkKind
from billing.models import Invoice, Refund, UnappliedPayment, WorkItem
from billing.providers.port import RefundFacts
from billing.queries.dispute import Disputed, disputes_of
from billing.queries.reconciling import as_uuid
from billing.queue.buffer import after_commit
from billing.queue.names import REFUNDS_SEND


def send_back(parts: Parts, session: Session, unapplied_id: UUID) -> Refund:
    """Reserve a refund of all that is left, in the caller's transaction, and have it sent after commit.

    The caller holds the rows (`lock_unapplied`). What the provider can't send, for its steps, stays kept apart. Raises
    `Refused`: `not_reconciled`, `charge_disputed`, `nothing_to_refund`, `amount_not_representable`.
    """
    require_all_known(session)
    row, invoice = lock_unapplied(session, unapplied_id)
    if invoice is None:
        raise Refused(Fault("charge", "nothing_to_refund", "it is of no invoice of ours; refund it at the provider"))
    if _disputes(session, row, invoice).forbidden:
        mend = "a dispute of it is open, or lost; what is left after a loss is settled another way: credit, or paid"
        raise Refused(Fault("charge", "charge_disputed", mend))
    amount = whole_steps(row.left_minor, parts.provider(row.provider_account_id).step_minor(row.currency))
    now = parts.clock.now(session)
    refund = reserve_unapplied(session, row=row, invoice=invoice, amount_minor=amount, now=now, wall=wall_now(session))
    after_commit(session, REFUNDS_SEND, refund.id)
    failpoint("refund.reserved")
    return refund


SETTLED_OF = (WorkItemStatus.OPEN, WorkItemStatus.PARKED, WorkItemStatus.DISCARDED)
"""States of the item in which it can be settled: before 0057 it could be discarded, the money stayed on the books."""


def look_at_refunds(parts: Parts, item_id: UUID) -> None:
    """Of an item of money kept apart, take over what was sent back in the dashboard: its event may be late or lost, and
    that is not settled once more.

    With no transaction open. Raises the provider's errors: then it is not known.
    """
    with parts.begin() as session:
        item = session.get(WorkItem, item_id)
        if item is None or item.kind != WorkKind.PAYMENT_UNAPPLIED or item.status not in SETTLED_OF:
            return
        row = session.get(UnappliedPayment, item.subject_id)
        if row is None:
            return  # The settling refuses it.
        account_id, charge_ref = row.provider_account_id, row.charge_ref
    refunds = list(parts.provider(account_id).list_refunds(charge_ref=charge_ref))
    with parts.begin() as session:
        take_over(parts, session, account_id, refunds)


def settle_apart(parts: Parts, session: Session, unapplied_id: UUID, way: SettledAs) -> tuple[int, str]:
    """Settle all that is left another way than back. Returns its minor units and currency; its item is closed.

    The caller holds the profile, then the rows (`lock_unapplied`). Raises `Refused`: `not_reconciled`,
    `charge_disputed`, and what `settle_unapplied` refuses.
    """
    require_all_known(session)
    row, invoice = lock_unapplied(session, unapplied_id)
    if invoice is None:
        raise Refused(Fault("charge", "nothing_to_settle", "it is of no invoice of ours"))
    if _disputes(session, row, invoice).open:
        raise Refused(Fault("charge", "charge_disputed", "a dispute of it is open and may take it; wait for its end"))
    now = parts.clock.now(session)
    return settle_unapplied(session, row=row, invoice=invoice, way=way, now=now), row.currency


def _disputes(session: Session, row: UnappliedPayment, invoice: Invoice) -> Disputed:
    profile_id, account_id = invoice.profile_id, row.provider_account_id
    return disputes_of(session, profile_id=profile_id, account_id=account_id, charge_ref=row.charge_ref)


def kept_apart(session: Session, account_id: UUID, charge_ref: str) -> UUID | None:
    """The money kept apart that this charge is, if it is any."""
    of_it = (UnappliedPayment.provider_account_id == account_id, UnappliedPayment.charge_ref == charge_ref)
    return session.scalars(select(UnappliedPayment.id).where(*of_it)).one_or_none()


def take_over(parts: Parts, session: Session, account_id: UUID, refunds: Sequence[RefundFacts]) -> int:
    """Take over refunds of money kept apart that somebody made at the provider. Returns how many.

    Those that we know already, or have asked for ourselves, are left alone: their answers bring the rest.
    """
    taken = 0
    for facts in sorted(refunds, key=lambda each: each.refund_ref):
        unapplied_id = kept_apart(session, account_id, facts.charge_ref) if facts.charge_ref else None
        if unapplied_id is None:
            continue
        row, invoice = lock_unapplied(session, unapplied_id)
        if invoice is None or _known(session, account_id, facts):
            continue
        now, wall = parts.clock.now(session), wall_now(session)
        taken += adopt_unapplied(session, row=row, invoice=invoice, facts=facts, now=now, wall=wall)
    return taken


def _known(session: Session, account_id: UUID, facts: RefundFacts) -> bool:
    ours = as_uuid(facts.metadata_refund)
    if ours is not None and session.get(Refund, ours) is not None:
        return True
    by_ref = (Refund.provider_account_id == account_id, Refund.refund_ref == facts.refund_ref)
    return session.scalars(select(Refund.id).where(*by_ref)).first() is not None
