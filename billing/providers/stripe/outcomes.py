"""How one sending of a charge ended: the one table from Stripe's answers and failures to `ChargeOutcome`."""

from __future__ import annotations

from collections.abc import Mapping

from billing.providers.failing import Failure, Proof
from billing.providers.port import ChargeOutcome, ChargeRequest, Outcome
from billing.providers.reading import Raw, code, inner, optional
from billing.providers.stripe.facts import reference
from billing.providers.stripe.failures import was_replayed

METHOD_UNUSABLE = "payment_method_unusable"
"""Our decline code where Stripe won't use the method at all: missing, detached, another's, or its customer gone."""

_DIFFERS = "answer_differs_"
_NOT_OURS = frozenset(f"{_DIFFERS}{name}" for name in ("object", "invoice", "payment", "intent"))
"""The answer is about another payment altogether: kept as ours, its intent would be read again as what we have sent."""
_MOVED_OR_MOVING = {"succeeded", "processing", "requires_capture"}
_BY_STATUS = {
    "succeeded": Outcome.SUCCEEDED,
    "processing": Outcome.PROCESSING,
    "requires_action": Outcome.REQUIRES_ACTION,
    "canceled": Outcome.CANCELED,
}
_METHOD_CODES = {
    "payment_intent_mandate_invalid",
    "payment_method_customer_mismatch",
    "payment_method_not_available",
    "payment_method_unexpected_state",
}

_SAID_NO = {"payment_method_customer_decline", "payment_method_provider_decline"}
"""Declines of methods that are no cards, whatever the status of the answer."""


def of_answer(raw: Raw, *, request: ChargeRequest, amount: int, headers: Mapping[str, str]) -> ChargeOutcome:
    """The outcome of a 2xx answer, `raw` being the intent. An answer about another payment proves nothing: UNKNOWN."""
    outcome, reason = _of_intent(raw, request, amount)
    declined = inner(raw, "last_payment_error") if outcome is Outcome.DECLINED else {}
    charge_ref = optional(declined, "charge")
    if outcome in (Outcome.SUCCEEDED, Outcome.PROCESSING):
        charge_ref = reference(raw, "latest_charge")
    return ChargeOutcome(
        outcome=outcome,
        reason=reason,
        intent_ref=optional(raw, "id") if reason not in _NOT_OURS else None,
        charge_ref=charge_ref,
        decline_code=code(declined, "decline_code", "code"),
        advice_code=code(declined, "advice_code"),
        request_ref=headers.get("request-id"),
        http_status=200,
        replayed=was_replayed(headers),
        needs_person=reason.startswith(_DIFFERS),
    )


def _of_intent(raw: Raw, request: ChargeRequest, amount: int) -> tuple[Outcome, str]:
    stranger = _stranger(raw, request, amount)
    if stranger:
        return Outcome.UNKNOWN, f"{_DIFFERS}{stranger}"
    status = code(raw, "status") or "no_status"
    if status == "requires_payment_method" and inner(raw, "last_payment_error"):
        return Outcome.DECLINED, "declined"
    outcome = _BY_STATUS.get(status)
    if outcome is None:
        return Outcome.UNKNOWN, f"intent_is_{status}"
    if outcome is Outcome.SUCCEEDED and reference(raw, "latest_charge") is None:
        # Money that no charge of ours could be told by: read again, the intent names it.
        return Outcome.UNKNOWN, "succeeded_without_charge"
    return outcome, status


_Told = tuple[str, object, object]
"""What is compared, as it was answered, as it was sent."""


def _whose(raw: Raw, request: ChargeRequest) -> list[_Told]:
    metadata = inner(raw, "metadata")
    ours: _Told = ("payment", metadata.get("payment_id"), str(request.payment_id))
    if request.intent_ref is not None:
        ours = ("intent", raw.get("id"), request.intent_ref)
    return [("invoice", metadata.get("invoice_id"), str(request.invoice_id)), ours]


def _stranger(raw: Raw, request: ChargeRequest, amount: int) -> str | None:
    """The first thing in which this intent is not the one that we sent; None where it is ours."""
    expected: list[_Told] = [
        ("object", raw.get("object"), "payment_intent"),
        *_whose(raw, request),
        ("currency", raw.get("currency"), request.currency),
        ("amount", raw.get("amount"), amount),
        ("customer", reference(raw, "customer"), request.customer_ref),
    ]
    return next((name for name, got, sent in expected if got != sent), None)


def of_failure(failure: Failure, *, first_sending: bool, request: ChargeRequest | None = None) -> ChargeOutcome:
    """The outcome of a failed call; one that shows another payment's intent than `request` has proves nothing.

    A 400 or 404 may be given before Stripe looks at the key, so it speaks of this sending only. Where the key was sent
    before, that is not enough to close the attempt, and the outcome is UNKNOWN.
    """
    intent = inner(failure.error, "payment_intent")
    told = _whose(intent, request) if request else []
    other = next((name for name, got, sent in told if got not in (None, sent)), None)
    if other is not None:
        return ChargeOutcome(
            Outcome.UNKNOWN,
            reason=f"{_DIFFERS}{other}",
            request_ref=failure.request_ref,
            http_status=failure.http_status,
            needs_person=True,
        )
    outcome, reason, decline_code = _verdict(failure, intent)
    if failure.proof is Proof.REFUSED and not first_sending and outcome in (Outcome.DECLINED, Outcome.NOT_SENT):
        outcome, reason, decline_code = Outcome.UNKNOWN, f"{reason}_on_resend", None
    declined = outcome is Outcome.DECLINED
    return ChargeOutcome(
        outcome=outcome,
        reason=reason,
        intent_ref=optional(intent, "id"),
        charge_ref=_charge_of(failure.error, intent) if declined else None,
        decline_code=decline_code,
        advice_code=code(failure.error, "advice_code") if declined else None,
        request_ref=failure.request_ref,
        http_status=failure.http_status,
        replayed=failure.replayed,
        retry_after_s=failure.retry_after_s,
        reach=failure.reach,
        account_wide=failure.proof is Proof.NOT_ALLOWED,
        needs_person=failure.proof is Proof.KEY_DIFFERS
        or (failure.proof is Proof.REFUSED and outcome is Outcome.NOT_SENT),
    )


def _verdict(failure: Failure, intent: Raw) -> tuple[Outcome, str, str | None]:
    """Outcome, reason and decline code."""
    match failure.proof:
        case Proof.NOT_RUN | Proof.NOT_ALLOWED:
            return Outcome.NOT_SENT, failure.reason, None
        case Proof.KEY_DIFFERS:
            return Outcome.UNKNOWN, "key_parameters_differ", None
        case Proof.FAILED:
            return _failed(failure, intent)
        case Proof.REFUSED:
            return _refused(failure, intent)
        case Proof.UNCLEAR:
            return Outcome.UNKNOWN, failure.reason, None


def _failed(failure: Failure, intent: Raw) -> tuple[Outcome, str, str | None]:
    status = code(intent, "status")
    if status in _MOVED_OR_MOVING:
        return Outcome.UNKNOWN, f"declined_yet_intent_is_{status}", None
    return Outcome.DECLINED, failure.reason, code(failure.error, "decline_code", "code") or failure.reason


def _refused(failure: Failure, intent: Raw) -> tuple[Outcome, str, str | None]:
    if failure.reason == "payment_intent_unexpected_state":
        status = code(intent, "status") or "unstated"
        outcome = Outcome.CANCELED if status == "canceled" else Outcome.UNKNOWN
        return outcome, f"intent_is_{status}", None
    if failure.reason in _SAID_NO:
        return Outcome.DECLINED, failure.reason, failure.reason
    unusable = _unusable(failure)
    if unusable:
        return Outcome.DECLINED, unusable, METHOD_UNUSABLE
    return Outcome.NOT_SENT, failure.reason, None


def _unusable(failure: Failure) -> str | None:
    """Why the method can't be used, or None where the refusal is about something else.

    Stripe gives some refusals of detached methods neither code nor param, so their sentence is the last resort.
    """
    param = code(failure.error, "param")
    if failure.reason == "resource_missing" and param == "customer":
        return "customer_missing"
    if param == "payment_method":
        return "method_missing" if failure.reason == "resource_missing" else "method_refused"
    if failure.reason in _METHOD_CODES:
        return failure.reason
    sentence = (optional(failure.error, "message") or "").lower()
    about_method = "paymentmethod" in sentence or "payment method" in sentence
    if about_method and ("attached" in sentence or "detached" in sentence):
        return "method_not_attached"
    return None


def _charge_of(error: Raw, intent: Raw) -> str | None:
    """The charge of this very failure. Never the intent's latest: it may be an earlier attempt's."""
    return optional(error, "charge") or optional(inner(intent, "last_payment_error"), "charge")
