"""What a customer may pay at our page, oldest first, and what an attempt of theirs is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from billing.kernel.status import InvoiceStatus, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod, Profile
from billing.queries.brakes import BrakeKind, moving
from billing.queries.invoice import lock_invoice
from billing.queries.payment_method import customer_ref, default_method
from billing.rules.debit import brings

MOST = 100
"""Invoices on one page: more than anybody reads."""


@dataclass(frozen=True, slots=True)
class ToPay:
    """One locked invoice, and all that decides whether and how it may be paid now."""

    invoice: Invoice
    method: PaymentMethod | None
    """The default, where it can bring this money."""
    customer_ref: str | None
    attempts: list[Payment]
    """Oldest first."""
    intents: list[PaymentIntent]
    """By generation."""
    held: bool
    """By a hold or a brake."""
    amount_minor: int
    """What is asked for: all that remains, unless its account charges less of it."""


def payable(
    session: Session, profile_id: UUID, *, upto: UUID | None = None, newest: UUID | None = None
) -> Sequence[Invoice]:
    """The customer's invoices that want money, oldest first. With `upto` that one and older ones, none where it wants
    nothing more; with `newest` none that came after that one, whatever became of it.

    A draft is that of a subscription which waits for its first payment.
    """
    found = session.scalars(
        select(Invoice)
        .where(Invoice.profile_id == profile_id, _wants_money())
        .order_by(func.coalesce(Invoice.issued_at, Invoice.created_at), Invoice.id)
        .limit(MOST)
    ).all()
    if newest is not None:
        shown = session.get(Invoice, newest)
        last = None if shown is None or shown.profile_id != profile_id else _place(shown)
        found = [invoice for invoice in found if last is not None and _place(invoice) <= last]
    if upto is None:
        return found
    place = next((place for place, invoice in enumerate(found) if invoice.id == upto), -1)
    return found[: place + 1]


def _place(invoice: Invoice) -> tuple[datetime, UUID]:
    return invoice.issued_at or invoice.created_at, invoice.id


def in_its_place(session: Session, invoice_id: UUID) -> UUID:
    """The invoice that stands where this one stood: itself, unless it was replaced, maybe several times."""
    found: UUID = session.execute(_IN_ITS_PLACE, {"invoice": invoice_id}).scalar_one()
    return found


def lock_to_pay(session: Session, invoice_id: UUID) -> ToPay | None:
    """Lock the invoice and read the rest; None where it wants no money any more."""
    lock_invoice(session, invoice_id)
    invoice = session.scalars(select(Invoice).where(Invoice.id == invoice_id, _wants_money())).one_or_none()
    if invoice is None:
        return None
    method = default_method(session, invoice.profile_id)
    first = invoice.status == InvoiceStatus.DRAFT
    if method is not None and not brings(method.kind, invoice.currency, first_payment=first):
        method = None
    ref = None
    if method is not None:
        account = method.provider_account_id
        ref = customer_ref(session, profile_id=invoice.profile_id, provider_account_id=account)
    attempts = select(Payment).where(Payment.invoice_id == invoice_id).order_by(Payment.attempt_no)
    intents = select(PaymentIntent).where(PaymentIntent.invoice_id == invoice_id).order_by(PaymentIntent.generation)
    return ToPay(
        invoice=invoice,
        method=method,
        customer_ref=ref,
        attempts=list(session.scalars(attempts.execution_options(populate_existing=True))),
        intents=list(session.scalars(intents.execution_options(populate_existing=True))),
        held=is_held(session, invoice),
        amount_minor=invoice.amount_remaining_minor,
    )


def is_held(session: Session, invoice: Invoice) -> bool:
    """Whether a hold of the invoice or its customer, or a brake, keeps it from being charged."""
    if invoice.hold_id is not None or session.get_one(Profile, invoice.profile_id).hold_id is not None:
        return True
    return not moving(session, BrakeKind.COLLECT, [invoice.profile_id])


_NOT_ENDED = text(
    """
    SELECT EXISTS (
        SELECT FROM billing.payment_intent n
        JOIN billing.work_item w ON w.subject_id = n.invoice_id AND w.kind = 'intent_not_canceled'
          AND w.status IN ('open', 'parked')
        WHERE n.invoice_id = :invoice AND n.status = 'open' AND n.provider_account_id <> :account)
    """
)


def why_not_now(session: Session, oldest: Invoice, method: PaymentMethod | None) -> str | None:
    """Why nothing is charged for it for now, whatever the customer presses, by the code of what refuses: `on_hold`, or
    `earlier_payment_open` once a person was told that another account's payment of it can't be ended."""
    if is_held(session, oldest):
        return "on_hold"
    if method is None:
        return None
    values = {"invoice": oldest.id, "account": method.provider_account_id}
    return "earlier_payment_open" if session.scalar(_NOT_ENDED, values) else None


def last_attempts(session: Session, invoices: Sequence[UUID]) -> dict[UUID, Payment]:
    """The newest attempt of each of these invoices that has one."""
    query = select(Payment).where(Payment.invoice_id.in_(invoices)).order_by(Payment.invoice_id, Payment.attempt_no)
    return {payment.invoice_id: payment for payment in session.scalars(query)}


def paid_of_late(session: Session, profile_id: UUID) -> list[Invoice]:
    """What the customer has paid at our page within the last hour (wall time), oldest first."""
    return list(
        session.scalars(
            select(Invoice)
            .join(Payment, Payment.invoice_id == Invoice.id)
            .where(
                Payment.profile_id == profile_id,
                Payment.kind == PaymentKind.ON_SESSION,
                Payment.status == PaymentStatus.SUCCEEDED,
                Payment.created_at > func.clock_timestamp() - timedelta(hours=1),
                Invoice.status == InvoiceStatus.PAID,
            )
            .order_by(Invoice.issued_at, Invoice.id)
        )
    )


_IN_ITS_PLACE = text(
    """
    WITH RECURSIVE stood (id, status, place) AS (
        SELECT id, status, 0 FROM billing.invoice WHERE id = :invoice
        UNION ALL
        SELECT i.id, i.status, s.place + 1 FROM stood s JOIN billing.invoice i ON i.corrects_id = s.id
        WHERE s.status = 'replaced' AND i.kind = 'invoice'
    )
    SELECT id FROM stood ORDER BY place DESC LIMIT 1
    """
)

_TRIES = text(
    """
    SELECT (SELECT count(*) FROM billing.payment
            WHERE profile_id = :profile AND kind = :kind AND created_at > clock_timestamp() - interval '1 hour')
         + (SELECT count(*) FROM billing.payment_method
            WHERE profile_id = :profile AND consent_channel = 'web'
              AND created_at > clock_timestamp() - interval '1 hour')
    """
)


def tries_of_late(session: Session, profile_id: UUID) -> int:
    """How often this customer has tried to pay or to add a method at our page within the last hour (wall time)."""
    return int(session.execute(_TRIES, {"profile": profile_id, "kind": PaymentKind.ON_SESSION}).scalar_one())


def _wants_money() -> ColumnElement[bool]:
    first_payment = and_(Invoice.status == InvoiceStatus.DRAFT, Invoice.review_until.is_(None))
    return and_(
        Invoice.kind == "invoice",
        Invoice.amount_remaining_minor > 0,
        or_(Invoice.status == InvoiceStatus.OPEN, first_payment),
    )
