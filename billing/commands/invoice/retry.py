"""Retry an invoice by hand: it becomes due now, outside the dunning schedule."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, PaymentStatus
from billing.models import Invoice, Payment, PaymentMethod, Profile, Seller
from billing.queries.card_tries import card_of, tries_of_cards
from billing.queries.debits import failed_debits
from billing.queries.invoice import lock_invoice
from billing.queries.payment_method import default_method
from billing.rules.card_limit import allowed_from
from billing.rules.debit import MOST_TRIES, is_debit
from billing.rules.dunning import OverLimit


def retry_invoice(session: Session, *, invoice_id: UUID, now: datetime, wall: datetime) -> bool:
    """Make the next try due at business time `now`; False, and nothing changed, where one is due already.

    The try neither uses nor moves the dunning schedule (`pass_moment`). Raises `Refused`: `invoice_not_found`,
    `invoice_not_open`, `invoice_not_automatic`, `payment_in_flight`, `on_hold`, `payment_method_missing`,
    `payment_method_refused`, `card_limit_reached`, `debit_limit_reached`.
    """
    invoice = lock_invoice(session, invoice_id)
    method = _require_triable(session, invoice)
    _require_within_limits(session, invoice, method, now)
    due = invoice.next_attempt_at is not None and invoice.next_attempt_at <= now
    if due and (invoice.charge_not_before is None or invoice.charge_not_before <= wall):
        return False
    invoice.next_attempt_at = now
    invoice.extra_try = True
    invoice.charge_not_before = None
    session.flush()
    return True


def has_attempt_in_flight(session: Session, invoice_id: UUID) -> bool:
    """Whether an attempt of this invoice is still open."""
    query = select(Payment.id).where(Payment.invoice_id == invoice_id, Payment.status.in_(OPEN_PAYMENT)).limit(1)
    return session.scalar(query) is not None


def _require_triable(session: Session, invoice: Invoice) -> PaymentMethod:
    if invoice.status != InvoiceStatus.OPEN:
        raise Refused(Fault("invoice", "invoice_not_open", f"it is {invoice.status}; there is nothing to charge"))
    if invoice.collection != "automatic":
        raise Refused(Fault("invoice", "invoice_not_automatic", "the customer pays it by transfer; it isn't charged"))
    if has_attempt_in_flight(session, invoice.id):
        mend = "an attempt is open; `billing payment resolve` asks the provider what became of it"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    held = invoice.hold_id or session.get_one(Profile, invoice.profile_id).hold_id
    if held is not None:
        raise Refused(Fault("invoice", "on_hold", f"work item {held} holds it; see `billing work show {held}`"))
    method = default_method(session, invoice.profile_id)
    if method is None:
        mend = "the customer has none; it is charged once one is added"
        raise Refused(Fault("payment_method", "payment_method_missing", mend))
    if is_debit(method.kind) and _failed_with(session, invoice, method) >= MOST_TRIES:
        mend = f"a debit may be presented {MOST_TRIES} times; it is charged once the customer adds or chooses another"
        raise Refused(Fault("payment_method", "debit_limit_reached", mend))
    if invoice.waits_for_method:
        mend = "the last one was refused for good; it is charged once the customer adds or chooses another"
        raise Refused(Fault("payment_method", "payment_method_refused", mend))
    return method


def _failed_with(session: Session, invoice: Invoice, method: PaymentMethod) -> int:
    return failed_debits(session, [invoice.id]).get((invoice.id, method.id), 0)


def _require_within_limits(session: Session, invoice: Invoice, method: PaymentMethod, now: datetime) -> None:
    """A person's retry is outside the schedule, but the networks count it all the same, and fine us for it."""
    card = card_of(method)
    declined = select(Payment.id).where(Payment.invoice_id == invoice.id, Payment.status == PaymentStatus.DECLINED)
    if card is None or session.scalar(declined.limit(1)) is None:
        return
    if session.get_one(Seller, invoice.seller_id).card_limit == OverLimit.OFF:
        return
    free = allowed_from(method.brand, tries_of_cards(session, cards=[card], now=now)[card], now=now)
    if free is not None:
        mend = f"its network allows the next try at {format_instant(free)}; another card may be tried at once"
        raise Refused(Fault("payment_method", "card_limit_reached", mend))
