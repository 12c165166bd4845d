"""On session: the customer pays at our page, oldest invoice first. The call is made while they wait (DECISIONS 21).

It is the protocol of every attempt: the row is committed before the call, its id is the key, and the answer is recorded
under its token. Where the provider wants the customer, the browser gets the intent's secret, and what came of it is
read from the intent, by `look` when the browser is back, by a webhook, or by the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment.open_on_session import open_on_session
from billing.db.clock import wall_now
from billing.flows.elsewhere import leave_elsewhere
from billing.flows.forwarding import carry_forward, chargeable, is_too_little
from billing.flows.parts import Parts
from billing.flows.quarantine import park_unsound
from billing.flows.resolution import read_questions, settle_all
from billing.flows.sending import Attempt, send_all
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod
from billing.queries.on_session import ToPay, is_held, last_attempts, lock_to_pay, payable, tries_of_late
from billing.queries.payment_method import default_method
from billing.queries.waiting import take_one
from billing.rules.debit import brings
from billing.rules.rate import Rank

MOST_TRIES = 20
"""Attempts and new methods of one customer within an hour of wall time: enough for anyone, too few to test cards."""


class Paying(StrEnum):
    """Where the customer's attempt stands."""

    PAID = "paid"
    ACTION = "action"
    """The provider wants the customer to authenticate: the browser hands the secret to the provider's script."""
    DECLINED = "declined"
    WAITING = "waiting"
    """The outcome is not known yet, or the money is on its way; nothing is tried meanwhile."""
    NOT_TRIED = "not_tried"
    """Nothing reached the provider; the same may be asked for again at once."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of the customer's and what the browser does next."""

    payment_id: UUID
    invoice_id: UUID
    status: Paying
    decline_code: str | None = None
    client_secret: str | None = field(default=None, repr=False)


_SAYS = {
    PaymentStatus.SUCCEEDED: Paying.PAID,
    PaymentStatus.REQUIRES_ACTION: Paying.ACTION,
    PaymentStatus.DECLINED: Paying.DECLINED,
    PaymentStatus.NOT_SENT: Paying.NOT_TRIED,
    PaymentStatus.CANCELED: Paying.NOT_TRIED,
}


def pay(parts: Parts, *, profile_id: UUID, upto: UUID | None = None, newest: UUID | None = None) -> Tried:
    """Try the oldest open invoice (of those up to `upto`, and none that came after `newest`) with the default method;
    one that waits for the customer's authentication with that method is taken up again.

    Raises `Refused`: `nothing_owed`, `too_many_tries`, and as `open_on_session` does.
    """
    for _ in range(2):
        attempt, stale = _taken_up(parts, profile_id, upto, newest)
        if not stale:
            return _told(parts, attempt)
        # The customer has chosen another method since: what waits for the old one is given up first.
        give_up(parts, payment_id=attempt)
    raise Refused(Fault("invoice", "payment_in_flight", "a payment is under way; wait for its outcome"))


def _taken_up(parts: Parts, profile_id: UUID, upto: UUID | None, newest: UUID | None) -> tuple[UUID, bool]:
    """The customer's attempt: a new one, sent, or the one that waits for them; and whether its method is outdated."""
    _carry_forward(parts, profile_id, upto, newest)
    with parts.begin() as session:
        oldest = [invoice.id for invoice in payable(session, profile_id, upto=upto, newest=newest)[:1]]
        park_unsound(session, oldest, now=parts.clock.now(session))
    leave_elsewhere(parts, oldest)
    # What was parked stays so, whatever is refused below.
    with parts.begin() as session:
        to_pay = lock_to_pay(session, oldest[0]) if oldest else None
        if to_pay is None:
            raise Refused(Fault("invoice", "nothing_owed", "there is nothing to pay"))
        waiting = _waits_for_customer(to_pay)
        payment = waiting or _open(parts, session, to_pay)
        attempt = Attempt.of(payment, sent_before=False, lease_s=parts.settings.lease_s)
        stale = to_pay.method is None or payment.payment_method_id != to_pay.method.id
    if waiting is None:
        send_all(parts, [attempt], rank=Rank.ON_SESSION)
    return attempt.payment_id, stale


def _carry_forward(parts: Parts, profile_id: UUID, upto: UUID | None, newest: UUID | None) -> None:
    """What is too little for their method's account is asked for by their next invoice; the others are paid now."""
    with parts.begin() as session:
        method = default_method(session, profile_id)
        asked = payable(session, profile_id, upto=upto, newest=newest)
        tried = last_attempts(session, [each.id for each in asked])
        session.expunge_all()
    small = [
        each
        for each in asked
        if _is_too_little(parts, each, method) and (each.id not in tried or tried[each.id].status not in OPEN_PAYMENT)
    ]
    if small:
        with parts.begin() as session:
            park_unsound(session, [each.id for each in small], now=parts.clock.now(session))
            small = [each for each in small if not is_held(session, each)]
    for each in small:
        carry_forward(parts, each)


def look(parts: Parts, *, profile_id: UUID, payment_id: UUID) -> Tried:
    """The customer is back from the provider: read the intent now, and record what it proves.

    Raises `Refused` (`payment_not_found`), also for another customer's.
    """
    with parts.begin() as session:
        # Not the row itself: it is read after the claim, with the token that the claim gives it.
        if session.scalar(select(Payment.profile_id).where(Payment.id == payment_id)) != profile_id:
            raise Refused(Fault("payment", "payment_not_found", "begin again"))
        questions = read_questions(parts, session, take_one(session, payment_id, lease_s=parts.settings.lease_s))
    settle_all(parts, questions, rank=Rank.ON_SESSION)
    return _told(parts, payment_id)


def give_up(parts: Parts, *, payment_id: UUID) -> None:
    """End an attempt that waits for its customer: its intent is canceled, so that nobody pays it later by surprise.

    If the money came meanwhile, that is recorded instead. Safe to repeat.
    """
    with parts.begin() as session:
        taken = take_one(session, payment_id, lease_s=parts.settings.lease_s)
        questions = read_questions(parts, session, taken, give_up=True)
    settle_all(parts, questions, rank=Rank.ON_SESSION)


def _open(parts: Parts, session: Session, to_pay: ToPay) -> Payment:
    if tries_of_late(session, to_pay.invoice.profile_id) >= MOST_TRIES:
        raise Refused(Fault("payment", "too_many_tries", "wait an hour"))
    waits = to_pay.held or any(attempt.status in OPEN_PAYMENT for attempt in to_pay.attempts)
    if not waits and _is_too_little(parts, to_pay.invoice, to_pay.method, session):
        mend = "an earlier try of so little must be ended first; try again later"
        raise Refused(Fault("invoice", "earlier_payment_open", mend))
    if to_pay.method is not None:
        account = to_pay.method.provider_account_id
        to_pay = replace(to_pay, amount_minor=chargeable(parts, to_pay.invoice, account=account, session=session))
    now, wall = parts.clock.now(session), wall_now(session)
    return open_on_session(session, to_pay, now=now, wall=wall, lease_s=parts.settings.lease_s)


def _is_too_little(
    parts: Parts, invoice: Invoice, method: PaymentMethod | None, session: Session | None = None
) -> bool:
    """Whether it asks for less than the method's account charges; False where the method can't bring it at all."""
    first = invoice.status == InvoiceStatus.DRAFT
    if method is None or not brings(method.kind, invoice.currency, first_payment=first):
        return False
    return is_too_little(parts, invoice, account=method.provider_account_id, session=session)


def _waits_for_customer(to_pay: ToPay) -> Payment | None:
    last = to_pay.attempts[-1] if to_pay.attempts else None
    if last is None or last.kind != PaymentKind.ON_SESSION or last.status != PaymentStatus.REQUIRES_ACTION:
        return None
    return last


def _told(parts: Parts, payment_id: UUID) -> Tried:
    with parts.begin() as session:
        payment = session.get_one(Payment, payment_id)
        intent_ref = session.get_one(PaymentIntent, payment.payment_intent_id).intent_ref
    status = _SAYS.get(PaymentStatus(payment.status), Paying.WAITING)
    secret = None
    if status is Paying.ACTION:
        assert intent_ref is not None
        secret = parts.provider(payment.provider_account_id, rank=Rank.ON_SESSION).intent_secret(intent_ref)
    return Tried(payment.id, payment.invoice_id, status, payment.decline_code, secret)
