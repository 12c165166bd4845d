"""Open the attempt that a customer makes at our page: the one way to an authentication (DECISIONS 21)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.payment.open import add_attempt, hold_for_customer, live_intent, new_attempt, take_lease
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import OPEN_PAYMENT, PaymentKind
from billing.models import Payment
from billing.queries.on_session import ToPay
from billing.rules.dunning import DeclineClass, classify

_FOR_GOOD = (DeclineClass.HARD, DeclineClass.DATA, DeclineClass.FRAUD)


def open_on_session(session: Session, to_pay: ToPay, *, now: datetime, wall: datetime, lease_s: float) -> Payment:
    """Write the attempt, with the invoice held for the customer. The caller holds the invoice's row.

    The dunning schedule is neither used nor moved: `next_attempt_at` stays, and `charge_not_before` lets it wait.
    Raises `Refused`: `on_hold`, `payment_in_flight`, `payment_method_missing`, `payment_method_refused`.
    """
    invoice, method = to_pay.invoice, to_pay.method
    if to_pay.held:
        raise Refused(Fault("invoice", "on_hold", "a person looks at it first"))
    if any(attempt.status in OPEN_PAYMENT for attempt in to_pay.attempts):
        raise Refused(Fault("invoice", "payment_in_flight", "a payment is under way; wait for its outcome"))
    if method is None or to_pay.customer_ref is None:
        raise Refused(Fault("payment_method", "payment_method_missing", "add one first"))
    if is_refused_for_good(to_pay):
        raise Refused(Fault("payment_method", "payment_method_refused", "the card was refused for good; give another"))
    intent = live_intent(session, invoice, method, to_pay.intents)
    payment = new_attempt(
        invoice,
        method,
        to_pay.customer_ref,
        intent,
        to_pay.attempts,
        scheduled=False,
        now=now,
        kind=PaymentKind.ON_SESSION,
    )
    take_lease(payment, wall=wall, lease_s=lease_s)
    add_attempt(session, payment)
    hold_for_customer(invoice, wall=wall)
    session.flush()
    return payment


def is_refused_for_good(to_pay: ToPay) -> bool:
    """Whether the issuer's last word on the present method rules another try out. A missing authentication does not."""
    if to_pay.method is None or not to_pay.attempts:
        return False
    last = to_pay.attempts[-1]
    return last.payment_method_id == to_pay.method.id and classify(last.decline_code, last.advice_code) in _FOR_GOOD
