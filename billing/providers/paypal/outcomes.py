"""How one sending of a charge ended: the one table from PayPal's answers and failures to `ChargeOutcome`."""

from __future__ import annotations

from billing.providers.failing import Failure, Proof
from billing.providers.paypal import facts
from billing.providers.paypal.client import Answer
from billing.providers.paypal.declines import AUTHENTICATE, METHOD_UNUSABLE, by_issue
from billing.providers.paypal.failures import issue_of
from billing.providers.port import ChargeOutcome, ChargeRequest, IntentFacts, Outcome

_OUTCOMES = {"succeeded": Outcome.SUCCEEDED, "pending": Outcome.PROCESSING, "failed": Outcome.DECLINED}
_DIFFERS = "answer_differs_"
_PAID_BEFORE = frozenset({"duplicate_invoice_id", "order_already_captured"})
"""Money moved before, for this invoice or this order. PayPal's own locks against a second charge; never a decline."""


def of_answer(answer: Answer, request: ChargeRequest) -> ChargeOutcome:
    """The outcome of a 2xx answer. An answer about another payment proves nothing: UNKNOWN.

    Raises `Unreadable`.
    """
    order = facts.intent_facts(answer.body)
    debug_id = answer.headers.get("paypal-debug-id")
    replayed = answer.status == 200
    stranger = _stranger(order, request)
    if stranger:
        return ChargeOutcome(
            Outcome.UNKNOWN,
            reason=f"{_DIFFERS}{stranger}",
            request_ref=debug_id,
            http_status=answer.status,
            replayed=replayed,
            needs_person=True,
        )
    charge = order.latest_charge
    if charge is None:
        # The payer has to act at PayPal. Nothing moves: we capture no order that was not carried out at once.
        return ChargeOutcome(
            Outcome.DECLINED,
            reason="payer_action_required",
            intent_ref=order.intent_ref,
            decline_code=AUTHENTICATE,
            request_ref=debug_id,
            http_status=answer.status,
            replayed=replayed,
            intent_over=True,
        )
    outcome = _OUTCOMES[charge.status]
    return ChargeOutcome(
        outcome,
        reason=charge.held_as or f"capture_is_{charge.status}",
        intent_ref=order.intent_ref,
        charge_ref=charge.charge_ref,
        decline_code=charge.decline_code,
        advice_code=charge.advice_code,
        request_ref=debug_id,
        http_status=answer.status,
        replayed=replayed,
        intent_over=outcome is Outcome.DECLINED,
    )


def _stranger(order: IntentFacts, request: ChargeRequest) -> str | None:
    """The first thing in which this order is not the one that we sent; None where it is ours."""
    expected: list[tuple[str, object, object]] = [
        ("invoice", order.metadata_invoice, str(request.invoice_id)),
        ("payment", order.metadata_payment, str(request.payment_id)),
        ("currency", order.currency, request.currency),
        ("amount", order.amount_minor, request.amount_minor),
    ]
    if order.latest_charge is not None:
        expected += [
            ("captured_currency", order.latest_charge.currency, request.currency),
            ("captured_amount", order.latest_charge.amount_minor, request.amount_minor),
        ]
    return next((name for name, got, sent in expected if got != sent), None)


def of_failure(failure: Failure, *, first_sending: bool) -> ChargeOutcome:
    """The outcome of a failed call.

    A refusal may be given before PayPal looks at the request id, so it speaks of this sending only. Where the same was
    sent before, that is not enough to close the attempt, and the outcome is UNKNOWN.
    """
    outcome, reason, decline_code = _verdict(failure)
    before_the_key = failure.proof is Proof.REFUSED or decline_code == METHOD_UNUSABLE
    if before_the_key and not first_sending and outcome in (Outcome.DECLINED, Outcome.NOT_SENT):
        outcome, reason, decline_code = Outcome.UNKNOWN, f"{reason}_on_resend", None
    return ChargeOutcome(
        outcome,
        reason=reason,
        decline_code=decline_code,
        request_ref=failure.request_ref,
        http_status=failure.http_status,
        retry_after_s=failure.retry_after_s,
        reach=failure.reach,
        account_wide=failure.proof is Proof.NOT_ALLOWED,
        needs_person=reason in _PAID_BEFORE
        or (failure.proof in (Proof.REFUSED, Proof.FAILED) and outcome is Outcome.NOT_SENT),
    )


def _verdict(failure: Failure) -> tuple[Outcome, str, str | None]:
    """Outcome, reason and decline code."""
    match failure.proof:
        case Proof.NOT_RUN | Proof.NOT_ALLOWED:
            return Outcome.NOT_SENT, failure.reason, None
        case Proof.FAILED | Proof.REFUSED:
            if failure.reason in _PAID_BEFORE:
                return Outcome.UNKNOWN, failure.reason, None
            decline_code = by_issue(issue_of(failure.error) or "")
            outcome = Outcome.NOT_SENT if decline_code is None else Outcome.DECLINED
            return outcome, failure.reason, decline_code
        case _:
            return Outcome.UNKNOWN, failure.reason, None
