"""Open the attempt that a customer makes at our page: the one way to an authentication (DECISIONS 21)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.commands.payment.open import hold_for_customer, spent_at
from billing.commands.payment.write import write_attempt, write_intent
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import OPEN_PAYMENT, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod
from billing.queries.on_session import ToPay
from billing.rules.debit import is_debit, meaning
from billing.rules.dunning import FOR_GOOD
from billing.rules.told_kind import told_kind


def open_on_session(session: Session, to_pay: ToPay, *, now: datetime, wall: datetime, lease_s: float) -> Payment:
    """Write the attempt, with the invoice held for the customer. The caller holds the invoice's row.

    The dunning schedule is neither used nor moved: `next_attempt_at` stays, and `charge_not_before` lets it wait.
    Raises `Refused`: `on_hold`, `payment_in_flight`, `payment_method_missing`, `payment_method_refused`,
    `earlier_payment_open` (what another account may still move is not ended), `debit_needs_notice` for a bank account:
    that is debited by itself, once its holder was told when.
    """
    invoice, method = to_pay.invoice, to_pay.method
    if to_pay.held:
        raise Refused(Fault("invoice", "on_hold", "a person looks at it first"))
    if any(attempt.status in OPEN_PAYMENT for attempt in to_pay.attempts):
        raise Refused(Fault("invoice", "payment_in_flight", "a payment is under way; wait for its outcome"))
    if method is None or to_pay.customer_ref is None:
        raise Refused(Fault("payment_method", "payment_method_missing", "add one first"))
    if is_debit(method.kind):
        raise Refused(Fault("payment_method", "debit_needs_notice", "it is debited by itself, after a notice"))
    if is_refused_for_good(to_pay):
        raise Refused(Fault("payment_method", "payment_method_refused", "the card was refused for good; give another"))
    intent = _live_intent(session, invoice, method, to_pay.intents)
    payment = _new_attempt(invoice, method, to_pay.customer_ref, intent, to_pay.attempts, now=now)
    payment.amount_minor = to_pay.amount_minor
    payment.spent_before = spent_at(to_pay.intents, method.provider_account_id)
    _take_lease(payment, wall=wall, lease_s=lease_s)
    write_attempt(session, payment)
    hold_for_customer(invoice, wall=wall)
    session.flush()
    return payment


def is_refused_for_good(to_pay: ToPay) -> bool:
    """Whether the issuer's last word on the present method rules another try out. A missing authentication does not."""
    if to_pay.method is None or not to_pay.attempts:
        return False
    last = to_pay.attempts[-1]
    return (
        last.payment_method_id == to_pay.method.id
        and meaning(last.method_kind, last.decline_code, last.advice_code) in FOR_GOOD
    )


def _take_lease(payment: Payment, *, wall: datetime, lease_s: float) -> None:
    """The attempt is in this worker's hands, for so many seconds of wall time."""
    payment.token = (payment.token or 0) + 1
    payment.lease_until = payment.next_check_at = wall + timedelta(seconds=lease_s)


def _live_intent(
    session: Session, invoice: Invoice, method: PaymentMethod, known: list[PaymentIntent]
) -> PaymentIntent:
    """The invoice's one live intent, or its successor once every earlier one is canceled or proven absent."""
    live = next((intent for intent in known if intent.status == "open"), None)
    if live is not None:
        if live.provider_account_id != method.provider_account_id:
            mend = "an earlier try of it, at another provider account, must be ended first; a person was told"
            raise Refused(Fault("invoice", "earlier_payment_open", mend))
        return live
    return write_intent(
        session,
        invoice=invoice,
        provider_account_id=method.provider_account_id,
        generation=len(known) + 1,
        intent_ref=None,
    )


def _new_attempt(
    invoice: Invoice,
    method: PaymentMethod,
    customer: str,
    intent: PaymentIntent,
    earlier: list[Payment],
    *,
    now: datetime,
) -> Payment:
    """An attempt after `earlier` ones of the invoice, of an amount that is still to be said; not written yet."""
    charges = [
        attempt.charge_ref for attempt in earlier if attempt.payment_intent_id == intent.id and attempt.charge_ref
    ]
    told = [attempt.method_kind for attempt in earlier if attempt.payment_intent_id == intent.id]
    return Payment(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        profile_id=invoice.profile_id,
        attempt_no=len(earlier) + 1,
        kind=PaymentKind.ON_SESSION,
        scheduled=False,
        provider_account_id=method.provider_account_id,
        payment_method_id=method.id,
        payment_intent_id=intent.id,
        customer_ref=customer,
        method_ref=method.method_ref,
        method_kind=told_kind(method.kind, told_before=told),
        card_fingerprint=method.fingerprint,
        currency=invoice.currency,
        confirms_ref=intent.intent_ref,
        noted_charge_ref=charges[-1] if charges else None,
        opened_at=now,
        status=PaymentStatus.PREPARED,
        token=0,
    )
