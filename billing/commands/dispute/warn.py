"""Keep an early fraud warning, with a work item for as long as something can be done about it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import FraudWarning, Invoice, UnappliedPayment
from billing.providers.port import FraudWarningFacts
from billing.queries.correction import paid_by, still_refundable

KIND = WorkKind.EARLY_FRAUD_WARNING


def note_warning(
    session: Session, *, account_id: UUID, invoice: Invoice, facts: FraudWarningFacts, now: datetime
) -> None:
    """Write it once, or note that nothing can be done any more: the charge was refunded, or is disputed by now.

    The caller holds the invoice.
    """
    row = session.scalars(
        select(FraudWarning).where(
            FraudWarning.provider_account_id == account_id, FraudWarning.warning_ref == facts.warning_ref
        )
    ).one_or_none()
    new = row is None
    if row is None:
        row = FraudWarning(
            id=new_id(),
            seller_id=invoice.seller_id,
            provider_account_id=account_id,
            warning_ref=facts.warning_ref,
            charge_ref=facts.charge_ref,
            invoice_id=invoice.id,
            profile_id=invoice.profile_id,
            fraud_type=facts.fraud_type,
            actionable=facts.actionable,
            opened_at=facts.created,
        )
        session.add(row)
    row.actionable = row.actionable and facts.actionable
    session.flush()
    if not row.actionable:
        close_for(session, kind=KIND, subject_id=row.id, now=now)
    elif new:
        raise_item(
            session,
            kind=KIND,
            subject_type="fraud_warning",
            subject_id=row.id,
            seller_id=row.seller_id,
            profile_id=row.profile_id,
            amount_minor=_at_stake(session, account_id, invoice, facts.charge_ref),
            currency=invoice.currency,
            summary=f"The issuer warns that the payment of invoice {invoice.named} may be fraud; to refund it now "
            "spares the dispute.",
            error=row.fraud_type,
            safe_actions=["park", "discard"],
            now=now,
        )
    if new:
        emit(
            session,
            topic=Topic.FRAUD_WARNED,
            object_type="fraud_warning",
            object_id=row.id,
            seller_id=row.seller_id,
            now=now,
            payload={"invoice_id": str(invoice.id), "fraud_type": row.fraud_type, "actionable": row.actionable},
        )


def _at_stake(session: Session, account_id: UUID, invoice: Invoice, charge_ref: str) -> int:
    """What of the charge could still go back: of what it paid, or of what is kept apart of it."""
    charges = {each.charge_ref: each.refundable_minor for each in paid_by(session, invoice.id)}
    if charge_ref in charges:
        return min(charges[charge_ref], still_refundable(session, invoice))
    query = select(UnappliedPayment).filter_by(provider_account_id=account_id, charge_ref=charge_ref)
    apart = session.scalars(query).one_or_none()
    return apart.left_minor if apart is not None else 0
