"""Evidence: what proves how an attempt ended: the intent by id, the same key again, all intents of the customer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.commands.payment.record_one import CANCEL_SPENT, INTENT_ABSENT, INTENT_KEPT, INTENT_SPENT, LISTED_ABSENT
from billing.flows.metered import Metered
from billing.flows.sending import Attempt, call
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain
from billing.kernel.status import PaymentStatus
from billing.providers.port import ChargeFacts, ChargeOutcome, ChargeRequest, IntentFacts, Outcome

ABSENT_AFTER_S = 24 * 3600
"""Age of a key (business seconds) from which a complete list without the attempt counts as proof of absence."""
ABSENT_LISTS = 2
"""So many such lists are needed."""
CHARGE_DIFFERS = "charge_differs"
"""Reason of a cancellation: the intent moved another amount than was asked for, which is kept apart."""
_LIST_SLACK = timedelta(hours=1)
"""Lists begin this long before the first sending: clocks differ."""

_CHARGE_OUTCOMES = {"succeeded": Outcome.SUCCEEDED, "pending": Outcome.PROCESSING, "failed": Outcome.DECLINED}


@dataclass(frozen=True, slots=True)
class Question:
    """One attempt that waits for an answer, with what decides how to ask."""

    attempt: Attempt
    status: PaymentStatus
    intent_ref: str | None
    claimed: frozenset[str]
    """Charges that earlier attempts of the invoice have claimed: never this one's evidence."""
    collectable: bool
    absent_lists: int
    now: datetime
    no_other_key: bool = False
    """`give_up_key` is the last of the attempt's."""
    give_up_key: str | None = None
    """Set where an attempt that waits for its customer has waited long enough: its intent is canceled under it."""

    @property
    def sent_at(self) -> datetime:
        """Business time of the first sending."""
        return self.attempt.first_sent_at or self.now

    @property
    def age_s(self) -> float:
        """Business seconds since the key was first sent."""
        return (self.now - self.sent_at).total_seconds()


def ask(provider: Metered, question: Question) -> ChargeOutcome:
    """How did it end? Where nothing proves an end, the answer is the state it is in, and it is asked again later."""
    try:
        if question.intent_ref is not None:
            found = of_intent(provider.read_intent(question.intent_ref), question)
            if found is None and question.give_up_key is not None:
                found = of_intent(provider.cancel_intent(question.intent_ref, key=question.give_up_key), question)
            if found is not None:
                return found
        if question.status is not PaymentStatus.UNKNOWN:
            return _still(question, "no_answer_yet")
        if question.collectable and question.age_s < provider.key_life_s:
            again = call(provider, None, question.attempt, question.now)
            return _after_spent_key(provider, question) if _key_is_spent(again) else again
        return _by_list(provider, question)
    except ProviderUnavailable as later:
        return replace(_still(question, "provider_unavailable"), retry_after_s=later.retry_after_s)
    except ProviderUncertain as unclear:
        # Of canceling alone: the next look tells.
        still = _still(question, CANCEL_SPENT if unclear.key_spent else "cancel_unclear")
        return replace(still, needs_person=unclear.key_spent and question.no_other_key)
    except ProviderRefused as refused:
        return _still(question, refused.code)


def of_intent(facts: IntentFacts, question: Question) -> ChargeOutcome | None:
    """What the intent proves about this attempt, or None. Only a charge that no earlier attempt claimed is evidence."""
    charge = facts.latest_charge
    if charge is not None and charge.charge_ref not in question.claimed:
        return _of_charge(charge, facts, question.attempt.request)
    if facts.status == "processing":
        return ChargeOutcome(Outcome.PROCESSING, reason="processing", intent_ref=facts.intent_ref)
    if facts.status == "canceled":
        return ChargeOutcome(Outcome.CANCELED, reason="intent_is_canceled", intent_ref=facts.intent_ref)
    if facts.status == "succeeded" and charge is not None:
        # What it moved is claimed: by an earlier attempt, or kept apart. This one cannot have moved any, and none can.
        return ChargeOutcome(Outcome.CANCELED, reason=INTENT_SPENT, intent_ref=facts.intent_ref)
    pending = question.status in (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)
    if pending and facts.status == "requires_payment_method":
        return ChargeOutcome(
            Outcome.DECLINED,
            reason="failed_later",
            intent_ref=facts.intent_ref,
            decline_code=facts.last_error_code,
        )
    return None


def _of_charge(charge: ChargeFacts, facts: IntentFacts, request: ChargeRequest) -> ChargeOutcome:
    """How the attempt ended by a charge that nobody claims. Money of another amount is never taken for ours."""
    asked = (request.amount_minor, request.currency)
    if charge.status == "succeeded" and (charge.amount_minor, charge.currency) != asked:
        return ChargeOutcome(Outcome.CANCELED, reason=CHARGE_DIFFERS, intent_ref=facts.intent_ref, stray=charge)
    return ChargeOutcome(
        _CHARGE_OUTCOMES[charge.status],
        reason=charge.held_as or f"charge_is_{charge.status}",
        intent_ref=facts.intent_ref,
        charge_ref=charge.charge_ref,
        decline_code=charge.decline_code,
        advice_code=charge.advice_code,
        intent_over=charge.status == "failed" and facts.status == "canceled",
    )


def _key_is_spent(answer: ChargeOutcome) -> bool:
    """The stored 5xx of an earlier sending: that sending is over, and this key will never say more."""
    return answer.outcome is Outcome.UNKNOWN and answer.replayed and (answer.http_status or 0) >= 500


def _after_spent_key(provider: Metered, question: Question) -> ChargeOutcome:
    if question.intent_ref is not None:
        found = of_intent(provider.read_intent(question.intent_ref), question)
        return found or ChargeOutcome(Outcome.CANCELED, reason=INTENT_KEPT, intent_ref=question.intent_ref)
    listed = _listed(provider, question)
    if listed is None:
        return ChargeOutcome(Outcome.CANCELED, reason=INTENT_ABSENT)
    found = of_intent(listed, question)
    return found or ChargeOutcome(Outcome.CANCELED, reason=INTENT_KEPT, intent_ref=listed.intent_ref)


def _by_list(provider: Metered, question: Question) -> ChargeOutcome:
    listed = _listed(provider, question)
    found = of_intent(listed, question) if listed else None
    if found is not None:
        return found
    intent_ref = listed.intent_ref if listed else question.intent_ref
    if question.age_s < ABSENT_AFTER_S:
        return ChargeOutcome(Outcome.UNKNOWN, reason="too_young_to_be_absent", intent_ref=intent_ref)
    if question.absent_lists + 1 < ABSENT_LISTS:
        return ChargeOutcome(Outcome.UNKNOWN, reason=LISTED_ABSENT, intent_ref=intent_ref)
    return ChargeOutcome(Outcome.CANCELED, reason=INTENT_KEPT if intent_ref else INTENT_ABSENT, intent_ref=intent_ref)


def _listed(provider: Metered, question: Question) -> IntentFacts | None:
    """The attempt's intent among all that the customer has since its first sending, every page read to the end."""
    request = question.attempt.request
    intents: Iterable[IntentFacts] = provider.list_intents(
        customer_ref=request.customer_ref,
        created_from=question.sent_at - _LIST_SLACK,
        payment_id=request.payment_id,
    )
    ours = [
        facts
        for facts in intents
        if facts.intent_ref == question.intent_ref or facts.metadata_payment == str(request.payment_id)
    ]
    return ours[0] if ours else None


def _still(question: Question, reason: str) -> ChargeOutcome:
    return ChargeOutcome(Outcome(question.status), reason=reason)
