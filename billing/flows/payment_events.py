"""Events of payment intents: a hint to look. The intent as re-read decides, whatever the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from billing.commands.difference.explain import explain_charge
from billing.commands.payment.adopt import adopt_charge, fits
from billing.commands.payment.unapplied import keep_charge, spend
from billing.commands.provider_event.claim import ClaimedEvent, close, share_reading
from billing.db.clock import wall_now
from billing.flows.evidence import Question, of_intent
from billing.flows.forwarding import leaves_rest, lock_whose
from billing.flows.incomplete import complete
from billing.flows.parts import Parts
from billing.flows.restoring import NotHealed, healed_below, pause
from billing.flows.sending import Attempt, write_outcomes
from billing.kernel.errors import ProviderRefused, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import OPEN_PAYMENT, EventStatus, InvoiceStatus, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent
from billing.privacy.logging import correlated
from billing.privacy.tracing import step
from billing.providers.port import ChargeFacts, IntentFacts
from billing.queries.collecting import lock_answered
from billing.queries.collection import lock_attempts
from billing.queries.reconciling import as_uuid
from billing.queries.same_database import Named, lost_attempts
from billing.queries.waiting import charges_claimed
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)

_ASKABLE = (PaymentStatus.SENT, PaymentStatus.UNKNOWN, PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)

NOT_SHOWN = frozenset({"resource_not_found", "invalid_resource_id"})
"""PayPal's words for what it does not show us, such as what is sold by an older API on the same account. Stripe shows
all that an account has: what is missing there is a person's work."""


class WentOn(Stale):
    """An attempt went on while its intent was read: what was read may be of the time before."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The invoice that an intent belongs to, and its last attempt as it was before the intent was read."""

    invoice_id: UUID
    payment_id: UUID
    provider_account_id: UUID
    correlation_id: UUID | None
    """Of the run that opened the attempt."""
    status: str
    token: int


def payment_intent(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Settle what the intent now shows."""
    with parts.begin() as session:
        ours = _by_ref(session, claimed)
        read_at = wall_now(session)
    provider = parts.provider(claimed.provider_account_id, rank=Rank.REREADS)
    try:
        facts = provider.read_intent(claimed.object_ref)
    except ProviderRefused as refused:
        if ours is not None or refused.code not in NOT_SHOWN:
            raise
        return ignore(parts, claimed, "the provider shows no such payment")
    if ours is None:
        with parts.begin() as session:
            ours = _by_metadata(session, claimed, facts)
        if ours is not None:
            # What was read before its attempt was may be of the time before that.
            facts = provider.read_intent(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        lost = _lost(session, claimed, facts, ours)
        if ours is None and not lost:
            now = parts.clock.now(session)
            close(session, claimed, status=EventStatus.IGNORED, now=now, error="no invoice of ours")
            return EventStatus.IGNORED
    if ours is None or lost:
        pause(parts, evidence=f"the provider knows attempt {lost[0]}, this database does not")
        raise NotHealed("this database was restored; the event is handled when it is reconciled")
    # What it settles goes on under the id of the charge: who follows a beat tick in the logs arrives here.
    run, event, payment = ours.correlation_id, str(claimed.id), str(ours.payment_id)
    with correlated(str(run) if run else None), step("event.take", event=event, type=claimed.type, payment=payment):
        try:
            with parts.begin() as session:
                take_facts(parts, session, ours, facts)
                now = parts.clock.now(session)
                close(session, claimed, status=EventStatus.PROCESSED, now=now)
                share_reading(session, claimed, read_at=read_at, now=now)
                failpoint("event.commit")
        except WentOn as late:
            with parts.begin() as session:
                again_s = parts.settings.back_off_s[0]
                close(session, claimed, status=EventStatus.RECEIVED, error=str(late), again_s=again_s, untried=True)
            return EventStatus.RECEIVED
        _log.info("event_taken", provider_event=event, type=claimed.type, payment=payment)
    return EventStatus.PROCESSED


def ignore(parts: Parts, claimed: ClaimedEvent, why: str) -> EventStatus:
    """Close what is none of ours, such as a sale of another shop on the same account: it is nobody's work here.

    An answer of our own that is still on its way brings the same facts, and so does the sweep.
    """
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.IGNORED, now=parts.clock.now(session), error=why)
    return EventStatus.IGNORED


def _lost(session: Session, claimed: ClaimedEvent, facts: IntentFacts, ours: Ours | None) -> list[UUID]:
    """The attempt that the intent names, where a row of it must have been lost, whatever we know of its invoice.

    Of money that was all given back nothing is left to be adopted: once healed, no difference speaks of it.
    """
    payment_id = as_uuid(facts.metadata_payment)
    if payment_id is None or (ours is not None and ours.payment_id == payment_id):
        return []
    charge = facts.latest_charge
    kept = charge is not None and charge.status != "failed" and charge.amount_minor > charge.refunded_minor
    charge_ref = charge.charge_ref if charge is not None and kept else None
    named = [Named(payment_id, as_uuid(facts.metadata_invoice), facts.customer_ref, charge_ref)]
    account_id = claimed.provider_account_id
    return lost_attempts(session, account_id=account_id, named=named, healed=healed_below(session))


def _by_ref(session: Session, claimed: ClaimedEvent) -> Ours | None:
    intent = session.scalars(
        select(PaymentIntent).where(
            PaymentIntent.provider_account_id == claimed.provider_account_id,
            PaymentIntent.intent_ref == claimed.object_ref,
        )
    ).one_or_none()
    return last_attempt(session, intent.invoice_id) if intent else None


def _by_metadata(session: Session, claimed: ClaimedEvent, facts: IntentFacts) -> Ours | None:
    """The event may beat our own record: then the intent names our invoice, which has this account's attempt."""
    try:
        invoice_id = UUID(facts.metadata_invoice or "")
    except ValueError:
        return None
    known = session.scalars(
        select(PaymentIntent.id).where(
            PaymentIntent.invoice_id == invoice_id,
            PaymentIntent.provider_account_id == claimed.provider_account_id,
        )
    ).first()
    return last_attempt(session, invoice_id) if known else None


def last_attempt(session: Session, invoice_id: UUID) -> Ours | None:
    """The invoice's last attempt, where it has one."""
    payment = session.execute(
        select(Payment.id, Payment.provider_account_id, Payment.correlation_id, Payment.status, Payment.token)
        .where(Payment.invoice_id == invoice_id)
        .order_by(Payment.attempt_no.desc())
        .limit(1)
    ).one_or_none()
    return Ours(invoice_id, *payment) if payment else None


def take_facts(parts: Parts, session: Session, ours: Ours, facts: IntentFacts) -> None:
    """Settle what the intent shows: the open attempt by its evidence, else money that no attempt asked for.

    Raises `WentOn` where an attempt has begun or gone on since `ours` was read.
    """
    lock_whose(parts, session, [(ours.invoice_id, ours.provider_account_id, facts.currency)])
    payment, invoice, intent = lock_attempts(session, [ours.payment_id])[ours.payment_id]
    last = last_attempt(session, invoice.id)
    if last is not None and last.status in OPEN_PAYMENT and last != ours:
        raise WentOn(f"attempt {last.payment_id} went on while its intent was read")
    claimed = frozenset(charges_claimed(session, {invoice.id}).get(invoice.id, ()))
    if payment.status in _ASKABLE and _is_of(payment, intent, facts):
        now = parts.clock.now(session)
        question = Question(
            attempt=Attempt.of(payment, sent_before=True, lease_s=parts.settings.lease_s),
            status=PaymentStatus(payment.status),
            intent_ref=facts.intent_ref,
            claimed=claimed,
            collectable=True,
            absent_lists=payment.absent_lists,
            now=now,
        )
        outcome = of_intent(facts, question)
        if outcome is not None:
            # Whoever still waits for the answer of this attempt comes too late, and is told so by the token.
            payment.token += 1
            session.flush()
            locked = lock_answered(session, [payment.id])[payment.id]
            write_outcomes(parts, session, [(locked, outcome)], now=now, wall=wall_now(session))
        return
    going_on = payment.status in OPEN_PAYMENT
    if going_on and _is_of(payment, intent, facts):
        # The attempt that is just being prepared, sent or asked about will find this charge itself.
        return
    charge = facts.latest_charge
    if charge is None or charge.status != "succeeded" or charge.charge_ref in claimed:
        return
    if going_on:
        # Of an intent before that of the open attempt, which brings money of its own.
        keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=parts.clock.now(session))
        _spend_earlier(session, invoice, facts)
        return
    intent.intent_ref = intent.intent_ref or facts.intent_ref
    _take_stray(parts, session, (payment, invoice, intent), charge)
    if facts.status == "succeeded":
        spend(intent, intent_ref=facts.intent_ref)


def _spend_earlier(session: Session, invoice: Invoice, facts: IntentFacts) -> None:
    """It moved money all the same, though it was taken for canceled, or for one that was never made."""
    named = select(Payment.payment_intent_id).where(Payment.id == as_uuid(facts.metadata_payment))
    row = session.scalars(
        select(PaymentIntent)
        .where(
            PaymentIntent.invoice_id == invoice.id,
            or_(
                PaymentIntent.intent_ref == facts.intent_ref,
                and_(PaymentIntent.intent_ref.is_(None), PaymentIntent.id.in_(named)),
            ),
        )
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is not None and facts.status == "succeeded":
        row.intent_ref, row.status = facts.intent_ref, "spent"


def _is_of(payment: Payment, intent: PaymentIntent, facts: IntentFacts) -> bool:
    """Whether the facts are of this attempt's intent: while we don't know its id, the intent names who made it."""
    if intent.intent_ref is None:
        return as_uuid(facts.metadata_payment) == payment.id
    return intent.intent_ref == facts.intent_ref


def _take_stray(
    parts: Parts, session: Session, rows: tuple[Payment, Invoice, PaymentIntent], charge: ChargeFacts
) -> None:
    """Money that no open attempt asked for settles what it fits; else it is booked apart, for a person."""
    payment, invoice, intent = rows
    now = parts.clock.now(session)
    account, came = payment.provider_account_id, charge.amount_minor
    if fits(invoice, charge, leaves_rest=leaves_rest(parts, session, invoice, account=account, paid=came)):
        if invoice.status == InvoiceStatus.DRAFT:
            complete(parts, session, [invoice.id], now=now)
        adopt_charge(session, invoice=invoice, last=payment, intent=intent, charge=charge, now=now)
        explain_charge(session, provider_account_id=account, charge_ref=charge.charge_ref, now=now)
    else:
        keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=now)
