"""Record one attempt that did not end as most do: one table from outcome to rows, under the locks of all three rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.invoice.hold import hold_invoice
from billing.commands.invoice.resume import resume
from billing.commands.payment.not_canceled import tell_not_canceled
from billing.commands.payment.unapplied import keep_charge, keep_unapplied, spend
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.db.base import Json
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.moves import require_move
from billing.kernel.status import CLOSED_PAYMENT, COLLECTABLE, InvoiceStatus, PaymentKind, PaymentStatus
from billing.kernel.work import WorkKind
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod
from billing.providers.port import ChargeOutcome, Outcome
from billing.rules.debit import is_debit
from billing.rules.dunning import classify
from billing.rules.held import held

UNKNOWN_IS_WORK_S = 24 * 3600
"""An outcome still unknown at this age of its key (business seconds) becomes a work item as well; it stays unknown."""

UNDER_WAY_IS_WORK = timedelta(days=21)
"""What is under way so long after it was first sent (business time) is work as well. The slowest debit ends within 14
business days (Stripe); what a provider keeps for review may wait for an answer that nobody there gives."""

CANCEL_SPENT = "cancel_key_spent"
"""Reason of an attempt whose cancellation met a failure that the provider keeps: the next try has another key, while
there is one."""

DEBIT_PAUSES = 6
"""A debit that is under way is asked about after so many of the longest pauses: every six hours."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One locked attempt, what is known of it now, and both clocks."""

    session: Session
    payment: Payment
    invoice: Invoice
    intent: PaymentIntent
    outcome: ChargeOutcome
    now: datetime
    wall: datetime
    back_off_s: tuple[float, ...]

    def pause_s(self) -> float:
        """The technical back-off after this many checks, or what the provider asked for, if longer.

        A bank takes days over a debit and an event tells of its end: it is looked at more rarely, in case that is lost.
        """
        step = min(self.payment.checks, len(self.back_off_s) - 1)
        pause_s = self.back_off_s[step]
        if self.outcome.outcome is Outcome.PROCESSING and is_debit(self.payment.method_kind):
            pause_s = self.back_off_s[-1] * DEBIT_PAUSES
        return max(pause_s, self.outcome.retry_after_s or 0.0)


def evidence_of(outcome: ChargeOutcome) -> Json:
    """What is kept of the answer."""
    return {
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "http_status": outcome.http_status,
        "request": outcome.request_ref,
        "replayed": outcome.replayed,
    }


def record_one(recording: Recording) -> None:
    """Write the outcome. The caller holds the rows and has checked the token.

    Money for an open invoice, and a decline that the schedule goes by, are not for here: `record` writes those.
    """
    payment, intent, outcome = recording.payment, recording.intent, recording.outcome
    if payment.status != outcome.outcome:
        require_move(PaymentStatus(payment.status), PaymentStatus(outcome.outcome))
    if outcome.intent_ref and intent.intent_ref is None:
        intent.intent_ref = outcome.intent_ref
    payment.reason = outcome.reason or None
    payment.evidence = evidence_of(outcome)
    payment.status = PaymentStatus(outcome.outcome)
    payment.lease_until = None
    if payment.status in CLOSED_PAYMENT:
        payment.closed_at = recording.now
        payment.next_check_at = None
    else:
        payment.next_check_at = recording.wall + timedelta(seconds=recording.pause_s())
        payment.checks += 1
    if outcome.outcome in (Outcome.SUCCEEDED, Outcome.DECLINED):
        payment.charge_ref = outcome.charge_ref
        payment.decline_code = outcome.decline_code
        payment.advice_code = outcome.advice_code
    recording.session.flush()
    _HANDLERS[outcome.outcome](recording)
    if payment.closed_at is not None and payment.checks:
        # Only what was held up before can be somebody's work: others cost nothing.
        close_for(recording.session, kind=WorkKind.PAYMENT_UNKNOWN, subject_id=payment.id, now=recording.now)
        _note_account_answers(recording)


def _note_account_answers(recording: Recording) -> None:
    """The account takes charges again."""
    payment = recording.payment
    if payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.DECLINED):
        account = payment.provider_account_id
        close_for(recording.session, kind=WorkKind.PROVIDER_REFUSES_ACCOUNT, subject_id=account, now=recording.now)


def _succeeded(recording: Recording) -> None:
    """Its invoice wants no money any more."""
    payment, intent, invoice = recording.payment, recording.intent, recording.invoice
    intent.status = "succeeded"
    keep_unapplied(recording.session, invoice=invoice, payment=payment, now=recording.now)
    _tell(recording, Topic.PAYMENT_SUCCEEDED, {"charge_ref": payment.charge_ref})


def _declined(recording: Recording) -> None:
    """The customer made it, or its invoice is a draft, or closed."""
    payment, outcome, invoice = recording.payment, recording.outcome, recording.invoice
    if outcome.intent_ref is None and recording.intent.intent_ref is None:
        # Refused before an intent was made: there is none to confirm later.
        recording.intent.status = "absent"
    elif outcome.intent_over:
        recording.intent.status = "canceled"
    if payment.kind == PaymentKind.ON_SESSION and invoice.status in COLLECTABLE:
        resume(invoice, decline=classify(outcome.decline_code, outcome.advice_code))
        _try_newer_method(recording)
    elif invoice.status == InvoiceStatus.DRAFT:
        _try_newer_method(recording)
    _tell(recording, Topic.PAYMENT_DECLINED, {"decline_code": outcome.decline_code})


def _try_newer_method(recording: Recording) -> None:
    """A default that was made while this attempt was open has not been tried yet: it is tried at once."""
    payment, invoice = recording.payment, recording.invoice
    default = recording.session.scalars(
        select(PaymentMethod.id).where(PaymentMethod.profile_id == payment.profile_id, PaymentMethod.is_default)
    ).one_or_none()
    if default is not None and default != payment.payment_method_id:
        invoice.next_attempt_at = recording.now
        invoice.extra_try = True
        invoice.waits_for_method = False


def _pending(recording: Recording) -> None:
    """The provider is at it, or the customer is: it is asked again, for as long as that takes."""
    sent = recording.payment.first_sent_at
    if recording.outcome.needs_person and recording.outcome.reason == CANCEL_SPENT:
        tell_not_canceled(recording.session, invoice=recording.invoice, error=CANCEL_SPENT, now=recording.now)
    elif recording.outcome.needs_person:
        _ask_a_person(recording, "can't be learnt")
    elif (known := held(recording.outcome.reason)) is not None and known.for_seller:
        # Waiting mends nothing, and after some weeks the provider gives it back to the payer.
        _ask_a_person(recording, "is not decided yet", more=f" {known.says}")
    elif sent is not None and recording.now - sent >= UNDER_WAY_IS_WORK:
        why = held(recording.outcome.reason)
        _ask_a_person(recording, f"is open since {sent.date()}", more=f" {why.says}" if why else "")


def _not_sent(recording: Recording) -> None:
    """Nothing reached the provider: the same attempt is sent again later and no dunning step is used."""
    payment, invoice = recording.payment, recording.invoice
    payment.checks += 1
    if invoice.status not in COLLECTABLE:
        return
    if payment.kind == PaymentKind.ON_SESSION:
        resume(invoice)
    else:
        invoice.next_attempt_at = recording.now
        invoice.extra_try = not payment.scheduled
        invoice.charge_not_before = recording.wall + timedelta(seconds=recording.pause_s())
    if recording.outcome.needs_person:
        hold_invoice(
            recording.session,
            invoice=invoice,
            summary=f"The provider won't take the charge of invoice {invoice.named} as it is; it waits for a person.",
            error=recording.outcome.reason,
            now=recording.now,
        )
    elif recording.outcome.account_wide:
        raise_item(
            recording.session,
            kind=WorkKind.PROVIDER_REFUSES_ACCOUNT,
            subject_type="provider_account",
            subject_id=payment.provider_account_id,
            summary="The payment provider refuses our key or our account; charges wait and no attempt is used up.",
            error=recording.outcome.reason,
            safe_actions=["retry", "park"],
            now=recording.now,
        )


def _unknown(recording: Recording) -> None:
    payment, outcome = recording.payment, recording.outcome
    payment.absent_lists += outcome.reason == LISTED_ABSENT
    if payment.checks == 1:
        _tell(recording, Topic.PAYMENT_UNKNOWN, {"reason": outcome.reason})
    age_s = (recording.now - payment.first_sent_at).total_seconds() if payment.first_sent_at else 0.0
    if age_s >= UNKNOWN_IS_WORK_S or outcome.needs_person:
        _ask_a_person(recording, "is unknown")


def _ask_a_person(recording: Recording, how: str, *, more: str = "") -> None:
    payment = recording.payment
    raise_item(
        recording.session,
        kind=WorkKind.PAYMENT_UNKNOWN,
        subject_type="payment",
        subject_id=payment.id,
        seller_id=payment.seller_id,
        profile_id=payment.profile_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        summary=f"Whether invoice {recording.invoice.named} was charged {how}; it is not charged again.{more}",
        error=recording.outcome.reason,
        safe_actions=["retry", "park"],
        next_try_at=payment.next_check_at,
        now=recording.now,
    )


def _canceled(recording: Recording) -> None:
    """Proven not charged. The invoice's next attempt has a new key, and a new intent where this one is gone."""
    session, invoice, intent, outcome = recording.session, recording.invoice, recording.intent, recording.outcome
    if outcome.reason == INTENT_ABSENT:
        intent.status = "absent"
    elif outcome.reason == INTENT_SPENT:
        spend(intent, intent_ref=outcome.intent_ref)
    elif outcome.stray is not None:
        spend(intent, intent_ref=outcome.intent_ref)
        keep_charge(session, invoice=invoice, payment=recording.payment, charge=outcome.stray, now=recording.now)
    elif outcome.reason != INTENT_KEPT:
        intent.status = "canceled"
    if invoice.status not in COLLECTABLE:
        return
    if recording.payment.kind == PaymentKind.ON_SESSION:
        resume(invoice)
        _try_newer_method(recording)
    else:
        invoice.next_attempt_at = recording.now
        invoice.extra_try = not recording.payment.scheduled
        invoice.charge_not_before = recording.wall + timedelta(seconds=recording.pause_s())


INTENT_ABSENT = "proven_absent"
"""Reason of a cancellation: no intent of this attempt exists at the provider."""
INTENT_KEPT = "proven_not_charged"
"""Reason of a cancellation: the intent exists, unharmed; only this attempt's key is spent."""
INTENT_SPENT = "intent_spent"
"""Reason of a cancellation: all that the intent moved is claimed already, and it takes no other try."""
LISTED_ABSENT = "listed_absent"
"""Reason of an unknown: a complete list, old enough to count, did not show the attempt."""


def _tell(recording: Recording, topic: Topic, more: dict[str, str | None]) -> None:
    payment = recording.payment
    emit(
        recording.session,
        topic=topic,
        object_type="payment",
        object_id=payment.id,
        seller_id=payment.seller_id,
        now=recording.now,
        payload={
            "payment_id": str(payment.id),
            "invoice_id": str(payment.invoice_id),
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            **more,
        },
    )


_HANDLERS: dict[Outcome, Callable[[Recording], None]] = {
    Outcome.SUCCEEDED: _succeeded,
    Outcome.DECLINED: _declined,
    Outcome.PROCESSING: _pending,
    Outcome.REQUIRES_ACTION: _pending,
    Outcome.NOT_SENT: _not_sent,
    Outcome.UNKNOWN: _unknown,
    Outcome.CANCELED: _canceled,
}
