"""Open attempts: rows with frozen parameters, committed before the provider hears of them (DECISIONS 19 to 21)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.dun import dun, pass_moment, policy_of
from billing.commands.invoice.postpone import keep_within_limits
from billing.commands.notice.of_invoice import tell_of_no_money
from billing.kernel.ids import new_id
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod, ProviderWrite
from billing.queries.collection import ToCharge
from billing.rules.dunning import DeclineClass

ON_SESSION_S = 3600
"""The customer's hold (wall seconds): so long nothing else is tried, and after it their attempt is given up."""


@dataclass(slots=True)
class Opened:
    """Attempts ready to be sent, and invoices whose moment passed without one."""

    payments: list[Payment] = field(default_factory=list)
    passed: list[UUID] = field(default_factory=list)


def open_payments(session: Session, due: ToCharge, *, now: datetime, wall: datetime, lease_s: float) -> Opened:
    """Open one attempt for each due invoice, or let its moment pass where there is nothing to charge.

    An attempt that surely was not sent is reopened under its own key where its parameters still hold. The partial
    unique index refuses a second open attempt, whoever races.
    """
    opened = Opened()
    for invoice in due.invoices:
        attempts = due.attempts.get(invoice.id, [])
        if any(attempt.status in OPEN_PAYMENT for attempt in attempts):
            if attempts[-1].kind == PaymentKind.ON_SESSION:
                hold_for_customer(invoice, wall=wall)
            else:
                # The open attempt decides; its record sets the next moment.
                invoice.next_attempt_at = None
            continue
        method = due.methods.get(invoice.profile_id)
        customer = due.customers.get((invoice.profile_id, method.provider_account_id)) if method else None
        last = attempts[-1] if attempts else None
        policy = policy_of(due.sellers[invoice.seller_id])
        if method and customer and keep_within_limits(session, due, invoice, method, policy, now=now):
            opened.passed.append(invoice.id)
            continue
        if last and method and customer and _reopens(last, invoice, method, customer):
            take_lease(last, wall=wall, lease_s=lease_s)
            last.status, last.closed_at = PaymentStatus.PREPARED, None
            invoice.next_attempt_at = None
            opened.payments.append(last)
            continue
        # What was proven not charged is tried anew in the place of its scheduled moment.
        again = not invoice.extra_try and last is not None and last.status == PaymentStatus.CANCELED and last.scheduled
        scheduled = pass_moment(invoice, policy, now=now) or again
        if method is None or customer is None or invoice.waits_for_method:
            dun(session, invoice=invoice, policy=policy, decline=DeclineClass.HARD, scheduled=scheduled, now=now)
            _tell(session, invoice, DeclineClass.HARD, method, now)
            opened.passed.append(invoice.id)
            continue
        if scheduled and invoice.subscription_id in due.unpaid:
            dun(session, invoice=invoice, policy=policy, decline=DeclineClass.SOFT, scheduled=True, now=now)
            _tell(session, invoice, DeclineClass.SOFT, method, now)
            opened.passed.append(invoice.id)
            continue
        intent = live_intent(session, invoice, method, due.intents.get(invoice.id, []))
        payment = new_attempt(invoice, method, customer, intent, attempts, scheduled=scheduled, now=now)
        take_lease(payment, wall=wall, lease_s=lease_s)
        add_attempt(session, payment)
        invoice.next_attempt_at = None
        opened.payments.append(payment)
    session.flush()
    return opened


def hold_for_customer(invoice: Invoice, *, wall: datetime) -> None:
    """The customer is paying. The schedule stays as it is and waits, also where one of its moments comes meanwhile."""
    invoice.charge_not_before = wall + timedelta(seconds=ON_SESSION_S)


def add_attempt(session: Session, payment: Payment) -> None:
    """Write a new attempt, and the key under which it will be sent."""
    session.add(payment)
    session.flush()
    session.add(
        ProviderWrite(
            id=new_id(),
            seller_id=payment.seller_id,
            payment_id=payment.id,
            step="charge",
            key=str(payment.id),
            parameter_hash=parameter_hash(payment),
        )
    )


def _tell(
    session: Session, invoice: Invoice, decline: DeclineClass, method: PaymentMethod | None, now: datetime
) -> None:
    """The customer of an invoice whose moment passed without a charge. A draft's customer is at hand."""
    if invoice.status == InvoiceStatus.OPEN:
        method_id = method.id if method else None
        tell_of_no_money(session, invoice=invoice, decline=decline, payment_id=None, method_id=method_id, now=now)


def parameter_hash(payment: Payment) -> str:
    """SHA-256 over what is sent under the attempt's key: the same key always carries the same hash."""
    frozen = (
        payment.invoice_id,
        payment.confirms_ref,
        payment.customer_ref,
        payment.method_ref,
        payment.amount_minor,
        payment.currency,
        *((payment.kind,) if payment.kind == PaymentKind.ON_SESSION else ()),
    )
    return hashlib.sha256("\n".join(map(str, frozen)).encode()).hexdigest()


def _reopens(last: Payment, invoice: Invoice, method: PaymentMethod, customer: str) -> bool:
    return (
        last.status == PaymentStatus.NOT_SENT
        and last.kind == PaymentKind.OFF_SESSION
        and last.payment_method_id == method.id
        and last.customer_ref == customer
        and last.amount_minor == invoice.amount_remaining_minor
    )


def take_lease(payment: Payment, *, wall: datetime, lease_s: float) -> None:
    """The attempt is in this worker's hands, for so many seconds of wall time."""
    payment.token = (payment.token or 0) + 1
    payment.lease_until = payment.next_check_at = wall + timedelta(seconds=lease_s)


def live_intent(session: Session, invoice: Invoice, method: PaymentMethod, known: list[PaymentIntent]) -> PaymentIntent:
    """The invoice's one live intent, or its successor once every earlier one is canceled or proven absent."""
    live = next((intent for intent in known if intent.status == "open"), None)
    if live is not None:
        return live
    intent = PaymentIntent(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        provider_account_id=method.provider_account_id,
        generation=len(known) + 1,
        intent_ref=None,
        status="open",
    )
    session.add(intent)
    session.flush()
    return intent


def new_attempt(
    invoice: Invoice,
    method: PaymentMethod,
    customer: str,
    intent: PaymentIntent,
    earlier: list[Payment],
    *,
    scheduled: bool,
    now: datetime,
    kind: PaymentKind = PaymentKind.OFF_SESSION,
) -> Payment:
    """An attempt for all that remains, after `earlier` ones of the invoice; not written yet."""
    charges = [
        attempt.charge_ref for attempt in earlier if attempt.payment_intent_id == intent.id and attempt.charge_ref
    ]
    return Payment(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        profile_id=invoice.profile_id,
        attempt_no=len(earlier) + 1,
        kind=kind,
        scheduled=scheduled,
        provider_account_id=method.provider_account_id,
        payment_method_id=method.id,
        payment_intent_id=intent.id,
        customer_ref=customer,
        method_ref=method.method_ref,
        card_fingerprint=method.fingerprint,
        amount_minor=invoice.amount_remaining_minor,
        currency=invoice.currency,
        confirms_ref=intent.intent_ref,
        noted_charge_ref=charges[-1] if charges else None,
        opened_at=now,
        status=PaymentStatus.PREPARED,
        token=0,
    )
