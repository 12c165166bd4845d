"""Money without a debt to meet it: booked at once and kept apart; a person sends it back, or settles it another way
(DECISIONS 23)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.difference.explain import explain_charge
from billing.commands.ledger.post import post
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import COLLECTABLE, SettledAs
from billing.kernel.work import WorkKind
from billing.models import Account, Invoice, Payment, PaymentIntent, UnappliedPayment, WorkItem
from billing.providers.port import ChargeFacts
from billing.queries.invoice import lock_invoice


def keep_unapplied(session: Session, *, invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Book a succeeded charge of `payment` whose invoice wants no money any more. See `keep_charge`."""
    assert payment.charge_ref is not None
    charge = ChargeFacts(payment.charge_ref, "succeeded", payment.amount_minor, payment.currency, created=now)
    keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=now)


def spend(intent: PaymentIntent, *, intent_ref: str | None) -> None:
    """Note that the intent moved money that is not its invoice's payment: it takes no other try, a successor may.

    `intent_ref` is the one that the provider showed: another generation stays as it is. The caller holds the row.
    """
    if intent.status == "open" and intent.intent_ref == intent_ref:
        intent.status = "spent"


def keep_charge(session: Session, *, invoice: Invoice, payment: Payment, charge: ChargeFacts, now: datetime) -> None:
    """Book a charge once: Dr provider clearing, Cr unapplied payments, with a work item. Safe to repeat.

    `payment` is the attempt that it came by, or the invoice's last one. While the invoice is still to be paid it is put
    on hold: nothing more is charged until a person has looked. The caller holds the invoice.
    """
    charge_ref, amount_minor = charge.charge_ref, charge.amount_minor
    explain_charge(session, provider_account_id=payment.provider_account_id, charge_ref=charge_ref, now=now)
    written = session.execute(
        insert(UnappliedPayment)
        .values(
            id=new_id(),
            seller_id=invoice.seller_id,
            invoice_id=invoice.id,
            provider_account_id=payment.provider_account_id,
            charge_ref=charge_ref,
            amount_minor=amount_minor,
            currency=charge.currency,
            status="held",
            version=1,
        )
        .on_conflict_do_nothing(index_elements=["provider_account_id", "charge_ref"])
        .returning(UnappliedPayment.id)
    ).scalar_one_or_none()
    if written is None:
        return
    post(
        session,
        kind="unapplied_payment",
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        charge_ref=charge_ref,
        currency=charge.currency,
        sides=((Account.PROVIDER_CLEARING, amount_minor), (Account.UNAPPLIED_PAYMENTS, -amount_minor)),
        now=now,
    )
    row = session.get_one(UnappliedPayment, written)
    _ask_a_person(session, row=row, invoice=invoice, now=now)
    emit(
        session,
        topic=Topic.PAYMENT_UNAPPLIED,
        object_type="invoice",
        object_id=invoice.id,
        seller_id=invoice.seller_id,
        now=now,
        payload={"invoice_id": str(invoice.id), "charge_ref": charge_ref, "amount_minor": amount_minor},
    )


def lock_unapplied(session: Session, unapplied_id: UUID) -> tuple[UnappliedPayment, Invoice | None]:
    """Lock the invoice that the money came for, then the money's row. Raises `Refused` (`payment_missing`)."""
    found = session.execute(
        select(UnappliedPayment.invoice_id).where(UnappliedPayment.id == unapplied_id)
    ).one_or_none()
    if found is None:
        mend = "this database has no row of it; reconcile, then look again"
        raise Refused(Fault("charge", "payment_missing", mend))
    invoice = lock_invoice(session, found.invoice_id) if found.invoice_id is not None else None
    row = session.get_one(UnappliedPayment, unapplied_id, with_for_update={"key_share": True}, populate_existing=True)
    return row, invoice


def let_go(session: Session, *, unapplied_id: UUID, invoice: Invoice) -> None:
    """Lift the hold of an invoice whose stray money is dealt with; other such money of it may hold it on.

    When it is tried next is as it was before. The caller holds the invoice and has closed the item of `unapplied_id`.
    """
    holder = session.get(WorkItem, invoice.hold_id) if invoice.hold_id is not None else None
    if holder is None or holder.subject_id != unapplied_id:
        return
    others = (
        select(WorkItem.id)
        .join(UnappliedPayment, UnappliedPayment.id == WorkItem.subject_id)
        .where(
            UnappliedPayment.invoice_id == invoice.id,
            WorkItem.kind == WorkKind.PAYMENT_UNAPPLIED,
            WorkItem.closed_at.is_(None),
        )
    )
    invoice.hold_id = session.scalars(others.order_by(WorkItem.id).limit(1)).first()
    session.flush()


def take_off(session: Session, *, row: UnappliedPayment, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """Count `amount_minor` of it as gone: its item asks for the rest, and is closed once there is none.

    The caller holds both rows, and books where it went.
    """
    assert 0 < amount_minor <= row.left_minor
    row.gone_minor += amount_minor
    if row.left_minor:
        item = live_item(session, row.id)
        if item is not None:
            item.amount_minor = row.left_minor
        session.flush()
        return
    row.status = "refunded"
    session.flush()
    close_for(session, kind=WorkKind.PAYMENT_UNAPPLIED, subject_id=row.id, now=now)
    let_go(session, unapplied_id=row.id, invoice=invoice)


def take_back(session: Session, *, row: UnappliedPayment, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """What was gone is with us again, and a person's work: the reverse of `take_off`."""
    assert 0 < amount_minor <= row.gone_minor
    row.gone_minor -= amount_minor
    row.status = "held"
    session.flush()
    _ask_a_person(session, row=row, invoice=invoice, now=now)


def _ask_a_person(session: Session, *, row: UnappliedPayment, invoice: Invoice, now: datetime) -> None:
    item = raise_item(
        session,
        kind=WorkKind.PAYMENT_UNAPPLIED,
        subject_type="unapplied_payment",
        subject_id=row.id,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        amount_minor=row.left_minor,
        currency=row.currency,
        summary=f"Money came for invoice {invoice.named} that it does not ask for; send it back, or settle it.",
        error=f"charge {row.charge_ref}",
        safe_actions=["refund", *SettledAs, "park"],
        now=now,
    )
    if invoice.status in COLLECTABLE and invoice.id == row.invoice_id:
        # The one that it came for; what has taken that one's place is paid as any other.
        invoice.hold_id = item.id
    session.flush()


def live_item(session: Session, unapplied_id: UUID) -> WorkItem | None:
    """The item that asks a person what becomes of it, locked; None where it is dealt with."""
    return session.scalars(
        select(WorkItem)
        .where(
            WorkItem.kind == WorkKind.PAYMENT_UNAPPLIED,
            WorkItem.subject_id == unapplied_id,
            WorkItem.closed_at.is_(None),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
