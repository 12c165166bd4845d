"""How each answer to a charge is read. Every answer comes over a real socket through the real SDK."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from billing.kernel.errors import Refused
from billing.providers.port import ChargeOutcome, Outcome
from billing.providers.stripe.adapter import KEY_LIFE_S
from tests.providers.stripe import scripted as server_says
from tests.providers.stripe.making import INVOICE, KEY, PAYMENT, charge, intent, provider_at, request
from tests.providers.stripe.scripted import Handler, says, says_error, says_json, scripted


def charged(answer: Handler, *, intent_ref: str | None = None, key_age_s: float = 0) -> ChargeOutcome:
    with scripted(answer) as server:
        provider = provider_at(server.address, read_s=0.3)
        return provider.charge(request(intent_ref=intent_ref), key=KEY, key_age_s=key_age_s)


def declined(**error: Any) -> Handler:
    failed = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "advice_code": "try_again_later",
        "charge": "ch_9",
        "message": "Your card has insufficient funds.",
        "payment_intent": intent(status="requires_payment_method", latest_charge="ch_9"),
        **error,
    }
    return says_error(402, **failed)


@pytest.mark.parametrize("status", [400, 402])
def test_what_a_payment_method_that_is_no_card_declines_is_a_decline_whatever_the_status(status: int) -> None:
    said = {"type": "invalid_request_error", "code": "payment_method_provider_decline", "message": "Declined."}
    outcome = charged(says_error(status, **said))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_provider_decline")
    assert not outcome.needs_person
    if status == 400:
        assert charged(says_error(status, **said), key_age_s=60).outcome is Outcome.UNKNOWN


def test_a_success_names_its_intent_its_charge_and_the_request() -> None:
    outcome = charged(says_json(intent(), Request_Id="req_1"))
    assert outcome == ChargeOutcome(
        outcome=Outcome.SUCCEEDED,
        reason="succeeded",
        intent_ref="pi_1",
        charge_ref="ch_1",
        request_ref="req_1",
        http_status=200,
    )


@pytest.mark.parametrize("other", [{"invoice_id": str(PAYMENT)}, {"invoice_id": str(INVOICE), "payment_id": "x"}])
def test_a_decline_of_another_payment_proves_nothing_of_ours(other: dict[str, str]) -> None:
    failed = intent(status="requires_payment_method", metadata=other)
    outcome = charged(declined(payment_intent=failed))
    assert (outcome.outcome, outcome.intent_ref, outcome.charge_ref) == (Outcome.UNKNOWN, None, None)
    assert outcome.needs_person
    canceled = intent(status="canceled", metadata=other)
    spent = charged(says_error(400, code="payment_intent_unexpected_state", payment_intent=canceled))
    assert (spent.outcome, spent.intent_ref) == (Outcome.UNKNOWN, None)
    again = charged(declined(payment_intent=intent(id="pi_2", status="requires_payment_method")), intent_ref="pi_1")
    assert (again.outcome, again.reason) == (Outcome.UNKNOWN, "answer_differs_intent")
    silent = intent(status="requires_payment_method", metadata=None)
    assert charged(declined(payment_intent=silent)).outcome is Outcome.DECLINED, "it says nobody else's"


@pytest.mark.parametrize("told", [None, "", {}, {"object": "charge"}, ["ch_1"]])
def test_a_success_that_names_no_charge_proves_nothing_yet(told: object) -> None:
    outcome = charged(says_json(intent(latest_charge=told)))
    assert (outcome.outcome, outcome.reason, outcome.intent_ref) == (
        Outcome.UNKNOWN,
        "succeeded_without_charge",
        "pi_1",
    )
    assert not outcome.needs_person, "the intent, read again, tells"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("processing", Outcome.PROCESSING),
        ("requires_action", Outcome.REQUIRES_ACTION),
        ("canceled", Outcome.CANCELED),
        ("requires_capture", Outcome.UNKNOWN),
        ("requires_confirmation", Outcome.UNKNOWN),
        ("requires_payment_method", Outcome.UNKNOWN),
        ("a_status_of_next_year", Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_an_accepted_intent_is_read_by_its_status(status: str | None, expected: Outcome) -> None:
    assert charged(says_json(intent(status=status))).outcome is expected


def test_only_money_that_moves_claims_the_latest_charge() -> None:
    """The latest charge of an intent that waits may be that of an earlier attempt."""
    assert charged(says_json(intent(status="requires_action", latest_charge="ch_old"))).charge_ref is None
    assert charged(says_json(intent(latest_charge=charge(id="ch_new")))).charge_ref == "ch_new"


def test_a_stored_answer_is_known_for_one() -> None:
    assert charged(says_json(intent(), Idempotent_Replayed="true")).replayed is True
    assert charged(says_json(intent())).replayed is False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": 1501}, "answer_differs_amount"),
        ({"currency": "usd"}, "answer_differs_currency"),
        ({"customer": "cus_2"}, "answer_differs_customer"),
        ({"metadata": {"invoice_id": str(PAYMENT)}}, "answer_differs_invoice"),
        ({"metadata": {"invoice_id": str(INVOICE), "payment_id": str(INVOICE)}}, "answer_differs_payment"),
        ({"object": "charge"}, "answer_differs_object"),
    ],
)
def test_an_answer_about_something_else_proves_nothing_and_calls_a_person(change: dict[str, Any], reason: str) -> None:
    outcome = charged(says_json(intent(**change)))
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, reason)
    assert (outcome.charge_ref, outcome.needs_person) == (None, True)


def test_a_confirm_that_answers_another_intent_proves_nothing() -> None:
    assert charged(says_json(intent(id="pi_2")), intent_ref="pi_1").reason == "answer_differs_intent"
    later = intent(metadata={"invoice_id": str(INVOICE), "payment_id": "of the first attempt"})
    assert charged(says_json(later), intent_ref="pi_1").outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"amount": 1501}, "pi_1"),
        ({"customer": None}, "pi_1"),
        ({"metadata": {"invoice_id": str(PAYMENT), "payment_id": str(INVOICE)}}, None),
        ({"metadata": {"invoice_id": str(INVOICE), "payment_id": str(INVOICE)}}, None),
        ({"amount": 1501, "metadata": {"invoice_id": str(INVOICE), "payment_id": str(INVOICE)}}, None),
        ({"metadata": {}}, None),
    ],
)
def test_the_intent_of_another_payment_is_never_kept_as_ours(changes: dict[str, Any], kept: str | None) -> None:
    """Read again by that id, it would pay our invoice with somebody else's money."""
    outcome = charged(says_json(intent(**changes)))
    assert (outcome.outcome, outcome.intent_ref) == (Outcome.UNKNOWN, kept)


def test_a_decline_carries_its_codes_its_intent_and_its_own_charge() -> None:
    outcome = charged(declined())
    assert outcome.outcome is Outcome.DECLINED
    assert (outcome.decline_code, outcome.advice_code) == ("insufficient_funds", "try_again_later")
    assert (outcome.intent_ref, outcome.charge_ref, outcome.http_status) == ("pi_1", "ch_9", 402)
    assert "insufficient funds." not in repr(outcome)


def test_a_decline_without_a_decline_code_has_the_error_code() -> None:
    assert charged(declined(code="expired_card", decline_code=None)).decline_code == "expired_card"
    assert charged(declined(code=None, decline_code=None)).decline_code == "request_failed"


def test_a_decline_that_made_no_charge_claims_none() -> None:
    outcome = charged(declined(charge=None))
    assert (outcome.outcome, outcome.charge_ref) == (Outcome.DECLINED, None)


def test_authentication_required_off_session_is_a_decline() -> None:
    outcome = charged(declined(code="authentication_required", decline_code="authentication_required"))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "authentication_required")


def test_a_failed_confirm_answered_with_200_is_a_decline_too() -> None:
    error = {"code": "card_declined", "decline_code": "lost_card", "charge": "ch_9"}
    outcome = charged(says_json(intent(status="requires_payment_method", last_payment_error=error)))
    assert (outcome.outcome, outcome.decline_code, outcome.charge_ref) == (Outcome.DECLINED, "lost_card", "ch_9")


def test_a_decline_whose_intent_says_succeeded_is_not_believed() -> None:
    outcome = charged(declined(payment_intent=intent(status="succeeded")))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.UNKNOWN, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("canceled", Outcome.CANCELED), ("succeeded", Outcome.UNKNOWN), ("processing", Outcome.UNKNOWN)],
)
def test_an_intent_in_another_state_is_read_from_the_refusal(status: str, expected: Outcome) -> None:
    refusal = says_error(400, code="payment_intent_unexpected_state", payment_intent=intent(status=status))
    outcome = charged(refusal, intent_ref="pi_1")
    assert (outcome.outcome, outcome.reason) == (expected, f"intent_is_{status}")
    assert (outcome.intent_ref, outcome.charge_ref) == ("pi_1", None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "resource_missing", "param": "payment_method"}, "method_missing"),
        ({"code": "resource_missing", "param": "customer"}, "customer_missing"),
        ({"param": "payment_method"}, "method_refused"),
        ({"message": "The payment method must be attached to the customer."}, "method_not_attached"),
        ({"message": "The provided PaymentMethod was detached from a Customer."}, "method_not_attached"),
    ],
)
def test_a_method_that_stripe_will_not_use_is_a_decline_with_our_code(error: dict[str, str], reason: str) -> None:
    outcome = charged(says_error(400, **error))
    assert (outcome.outcome, outcome.reason) == (Outcome.DECLINED, reason)
    assert outcome.decline_code == "payment_method_unusable"


@pytest.mark.parametrize("code", ["amount_too_small", "parameter_unknown", "payment_method_types_no_longer_supported"])
def test_a_request_that_stripe_refuses_was_not_sent_and_needs_a_person(code: str) -> None:
    outcome = charged(says_error(400, code=code, param="amount"))
    assert (outcome.outcome, outcome.reason) == (Outcome.NOT_SENT, code)
    assert (outcome.needs_person, outcome.account_wide) == (True, False)


@pytest.mark.parametrize(
    "error", [{"code": "amount_too_small"}, {"code": "resource_missing", "param": "payment_method"}]
)
def test_a_refusal_of_a_second_sending_leaves_the_first_one_open(error: dict[str, str]) -> None:
    outcome = charged(says_error(400, **error), key_age_s=60)
    assert (outcome.outcome, outcome.decline_code) == (Outcome.UNKNOWN, None)
    assert outcome.reason.endswith("_on_resend")


def test_the_key_with_other_parameters_is_unknown_and_calls_a_person() -> None:
    outcome = charged(says_error(400, type="idempotency_error"), key_age_s=60)
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, "key_parameters_differ")
    assert outcome.needs_person is True


def test_the_key_in_use_means_another_sender_is_at_it() -> None:
    outcome = charged(says_error(409, type="idempotency_error", code="idempotency_key_in_use"))
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, "idempotency_key_in_use")
    assert outcome.needs_person is False


def test_a_rate_limit_ran_nothing_and_says_when_to_come_back() -> None:
    outcome = charged(says_error(429, headers={"Retry_After": "7"}, code="rate_limit"))
    assert (outcome.outcome, outcome.reason, outcome.retry_after_s) == (Outcome.NOT_SENT, "rate_limit", 7.0)


def test_a_lock_time_out_ran_nothing_either() -> None:
    outcome = charged(says_error(429, headers={"Stripe_Should_Retry": "true"}, code="lock_timeout"))
    assert (outcome.outcome, outcome.reason, outcome.needs_person) == (Outcome.NOT_SENT, "lock_timeout", False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_account_was_not_sent_and_concerns_the_whole_account(status: int) -> None:
    outcome = charged(says_error(status))
    assert (outcome.outcome, outcome.account_wide, outcome.needs_person) == (Outcome.NOT_SENT, True, False)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_unknown_even_where_it_asks_for_a_retry(status: int) -> None:
    outcome = charged(
        says_error(status, type="api_error", headers={"Stripe_Should_Retry": "true", "Request_Id": "req_5"})
    )
    assert (outcome.outcome, outcome.http_status, outcome.request_ref) == (Outcome.UNKNOWN, status, "req_5")
    assert outcome.replayed is False


def test_a_stored_server_error_is_unknown_and_known_for_a_replay() -> None:
    outcome = charged(says_error(500, type="api_error", headers={"Idempotent_Replayed": "true"}), key_age_s=60)
    assert (outcome.outcome, outcome.replayed) == (Outcome.UNKNOWN, True)


HTML = "<html><h1>Bad gateway</h1></html>"


@pytest.mark.parametrize(
    "answer",
    [
        says(HTML, status=502, content_type="text/html"),
        says(HTML, status=200, content_type="text/html"),
        says(HTML, status=401, content_type="text/html"),
        says(HTML, status=402, content_type="text/html"),
        says(HTML, status=429, content_type="text/html"),
        says_json({"error": "a word"}, status=402),
        says_json({"error": ["a", "list"]}, status=402),
        says_json({"error": None}, status=400),
        says("", status=204),
        says("[]"),
        says("null"),
        says('"succeeded"'),
        says("{}"),
        says(b"\xff\xfe\x00", status=200),
        says("[" * 200_000),
        server_says.resets,
        server_says.closes,
        server_says.stops_in_mid_body,
        server_says.never_ends,
        server_says.is_silent,
    ],
)
def test_an_answer_that_is_not_stripes_leaves_the_outcome_open(answer: Handler) -> None:
    outcome = charged(answer)
    assert outcome.outcome is Outcome.UNKNOWN
    assert outcome.reason
    assert "html" not in repr(outcome).lower()


def test_silence_is_told_apart_from_a_broken_connection() -> None:
    assert charged(server_says.is_silent).reason == "no_answer_in_time"
    assert charged(server_says.resets).reason == "connection_broke"


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    outcome = provider_at(f"http://127.0.0.1:{free}").charge(request(), key=KEY, key_age_s=0)
    assert (outcome.outcome, outcome.reason) == (Outcome.NOT_SENT, "connection_not_made")


def test_a_name_that_does_not_resolve_was_not_sent() -> None:
    outcome = provider_at("http://no-such-host.invalid").charge(request(), key=KEY, key_age_s=0)
    assert (outcome.outcome, outcome.reason) == (Outcome.NOT_SENT, "connection_not_made")


def test_a_key_past_its_life_is_never_sent_again() -> None:
    with scripted(says_json(intent())) as server:
        with pytest.raises(Refused) as refusal:
            provider_at(server.address).charge(request(), key=KEY, key_age_s=KEY_LIFE_S)
        assert refusal.value.code == "key_expired"
        assert server.heard == []
        outcome = provider_at(server.address).charge(request(), key=KEY, key_age_s=KEY_LIFE_S - 1)
        assert (outcome.outcome, len(server.heard)) == (Outcome.SUCCEEDED, 1)


def test_an_amount_that_stripe_cannot_charge_is_refused_before_it_is_sent() -> None:
    with scripted(says_json(intent())) as server:
        with pytest.raises(Refused) as refusal:
            provider_at(server.address).charge(request(amount_minor=5124, currency="kwd"), key=KEY, key_age_s=0)
        assert (refusal.value.code, server.heard) == ("amount_not_representable", [])
