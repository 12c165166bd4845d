"""PaymentIntents: what succeeds, what is declined and how, what waits, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.making import Receiver, World, refusal


def declined(world: World, method: str, **more: Any) -> Any:
    return refusal(lambda: world.pay(method, **more), stripe.CardError)


def test_a_good_card_is_charged_at_once(world: World) -> None:
    intent = world.pay()
    assert (intent.status, intent.amount_received, intent.livemode) == ("succeeded", 1000, False)
    charge = world.v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.paid, charge.captured, charge.amount) == ("succeeded", True, True, 1000)
    assert charge.metadata.to_dict() == {"payment_id": "p-1"}
    assert charge.payment_intent == intent.id


@pytest.mark.parametrize(
    ("method", "code", "decline_code", "advice_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", "try_again_later"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card", "do_not_try_again"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card", "do_not_try_again"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent", "do_not_try_again"),
        ("pm_card_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded", "try_again_later"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", "confirm_card_data"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", "confirm_card_data"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error", "try_again_later"),
        ("pm_card_authenticationRequired", "authentication_required", "authentication_required", None),
        ("pm_card_authenticationRequiredOnSetup", "authentication_required", "authentication_required", None),
    ],
)
def test_a_decline_says_why(world: World, method: str, code: str, decline_code: str, advice_code: str | None) -> None:
    error = declined(world, method)
    assert (error.http_status, error.code) == (402, code)
    assert (error.error.decline_code, error.error.advice_code) == (decline_code, advice_code)


def test_a_decline_clears_the_method_and_leaves_the_error_and_the_failed_charge(world: World) -> None:
    error = declined(world, "pm_card_chargeDeclinedInsufficientFunds")
    intent = world.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.latest_charge == error.error.charge
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    charge = world.v1.charges.retrieve(error.error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, "card_declined")
    assert charge.outcome.advice_code == "try_again_later"


def test_a_declined_intent_is_confirmed_again_with_another_method(world: World) -> None:
    failed = declined(world, "pm_card_chargeDeclined").error.payment_intent
    method = world.v1.payment_methods.attach("pm_card_visa", {"customer": failed.customer}).id
    paid = world.v1.payment_intents.confirm(failed.id, {"payment_method": method, "off_session": True})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    charges = world.v1.charges.list({"payment_intent": failed.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


def test_a_declined_intent_without_a_new_method_has_none_to_confirm_with(world: World) -> None:
    failed = declined(world, "pm_card_chargeDeclined").error.payment_intent
    error = refusal(lambda: world.v1.payment_intents.confirm(failed.id, {"off_session": True}))
    assert error.code == "payment_intent_unexpected_state"


def test_a_succeeded_intent_is_never_confirmed_again(world: World) -> None:
    intent = world.pay()
    error = refusal(lambda: world.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}))
    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.error.payment_intent.status == "succeeded"
    assert len(world.see("charges")) == 1


def test_too_many_confirms_cancel_the_intent(world: World) -> None:
    world.tell("config", {"max_confirms": 3})
    intent = declined(world, "pm_card_chargeDeclined").error.payment_intent
    again = {"payment_method": world.v1.payment_methods.list({"customer": intent.customer}).data[0].id}
    for _ in range(2):
        refusal(lambda: world.v1.payment_intents.confirm(intent.id, {**again, "off_session": True}), stripe.CardError)
    error = refusal(lambda: world.v1.payment_intents.confirm(intent.id, {**again, "off_session": True}))
    assert error.error.payment_intent.status == "canceled"
    read = world.v1.payment_intents.retrieve(intent.id)
    assert (read.status, read.cancellation_reason) == ("canceled", "automatic")
    assert world.see("intents")[0]["confirms"] == 3


def test_a_canceled_intent_refuses_confirms_and_a_second_cancel(world: World) -> None:
    intent = declined(world, "pm_card_chargeDeclined").error.payment_intent
    canceled = world.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    for call in (world.v1.payment_intents.confirm, world.v1.payment_intents.cancel):
        assert refusal(lambda call=call: call(intent.id)).code == "payment_intent_unexpected_state"


def test_a_paid_intent_is_not_canceled(world: World) -> None:
    error = refusal(lambda: world.v1.payment_intents.cancel(world.pay().id))
    assert error.error.payment_intent.status == "succeeded"


def test_an_amount_is_changed_while_nothing_has_moved(world: World) -> None:
    intent = declined(world, "pm_card_chargeDeclined").error.payment_intent
    changed = world.v1.payment_intents.update(intent.id, {"amount": 1500, "metadata": {"more": "x"}})
    assert changed.amount == 1500
    assert changed.metadata.to_dict() == {"payment_id": "p-1", "more": "x"}
    paid = world.pay()
    assert refusal(lambda: world.v1.payment_intents.update(paid.id, {"amount": 1})).http_status == 400
    assert world.v1.payment_intents.update(paid.id, {"metadata": {"late": "y"}}).metadata["late"] == "y"


def test_authentication_on_session_waits_for_the_customer(world: World) -> None:
    intent = world.pay("pm_card_authenticationRequired", off_session=False)
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert world.see("charges") == []
    assert world.tell(f"payment_intents/{intent.id}/authenticate", {"succeeded": True})["status"] == "succeeded"
    other = world.pay("pm_card_authenticationRequired", off_session=False)
    failed = world.tell(f"payment_intents/{other.id}/authenticate", {"succeeded": False})
    assert failed["status"] == "requires_payment_method"
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"


def test_a_card_that_counts_as_set_up_is_charged_off_session_and_asks_only_on_session(world: World) -> None:
    card = "pm_card_authenticationRequiredSetupForOffSession"
    assert world.pay(card).status == "succeeded"
    assert world.pay(card, off_session=False).status == "requires_action"


@pytest.mark.parametrize(("method", "country"), [("pm_card_at", "AT"), ("pm_card_nl", "NL"), ("pm_card_de", "DE")])
def test_cards_of_other_countries_have_stripes_names(world: World, method: str, country: str) -> None:
    assert world.v1.payment_methods.retrieve(world.pay(method).payment_method).card.country == country


def test_the_first_charge_on_each_intent_fails_and_the_next_succeeds(world: World) -> None:
    intent = declined(world, "pm_sandbox_declineThenSucceed").error.payment_intent
    method = world.v1.payment_methods.list({"customer": intent.customer}).data[0].id
    again = {"payment_method": method, "off_session": True}
    assert world.v1.payment_intents.confirm(intent.id, again).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "status"),
    [("pm_sandbox_processing", "succeeded"), ("pm_sandbox_processingFails", "requires_payment_method")],
)
def test_a_processing_payment_ends_when_the_clock_says_so(world: World, method: str, status: str) -> None:
    world.tell("clock", {"now": "2026-01-31T00:00:00Z"})
    intent = world.pay(method)
    assert intent.status == "processing"
    charge = world.v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.paid) == ("pending", False)
    for call in (world.v1.payment_intents.confirm, world.v1.payment_intents.cancel):
        assert refusal(lambda call=call: call(intent.id)).code == "payment_intent_unexpected_state"
    world.tell("clock", {"now": "2026-01-31T23:59:59Z"})
    world.quiet()
    assert world.v1.payment_intents.retrieve(intent.id).status == "processing"
    world.tell("clock", {"now": "2026-02-01T00:00:00Z"})
    world.quiet()
    ended = world.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert ended.status == status
    assert ended.latest_charge.status == ("succeeded" if status == "succeeded" else "failed")


@pytest.mark.parametrize(("succeeded", "status"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_a_processing_payment_ends_as_told(world: World, *, succeeded: bool, status: str) -> None:
    intent = world.pay("pm_sandbox_processing")
    assert world.tell(f"payment_intents/{intent.id}/settle", {"succeeded": succeeded})["status"] == status


def test_an_intent_captured_by_hand_waits_for_it(world: World) -> None:
    intent = world.pay(capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    captured = world.v1.payment_intents.capture(intent.id, {"amount_to_capture": 400})
    assert (captured.status, captured.amount_received) == ("succeeded", 400)
    assert refusal(lambda: world.v1.payment_intents.capture(intent.id)).code == "payment_intent_unexpected_state"


def test_another_customers_method_is_refused(world: World) -> None:
    _, foreign = world.customer("pm_card_visa")
    assert refusal(lambda: world.pay(payment_method=foreign)).http_status == 400


def test_a_test_name_is_charged_without_being_attached(world: World) -> None:
    intent = world.pay(payment_method="pm_card_visa")
    assert intent.status == "succeeded"
    assert world.v1.payment_methods.retrieve(intent.payment_method).customer is None


def test_the_balance_transaction_comes_after_the_answer(world: World, receiver: Any) -> None:
    world.tell("clock", {"now": "2026-01-31T00:00:00Z"})
    order = {**world.order(), "expand": ["latest_charge"]}
    answered = world.v1.payment_intents.create(order).latest_charge
    assert answered.balance_transaction is None
    world.quiet()
    updated = receiver.events("charge.updated")[0]
    assert updated.data.previous_attributes.to_dict() == {"balance_transaction": None}
    booked = world.v1.balance_transactions.retrieve(updated.data.object.balance_transaction)
    assert (booked.amount, booked.fee, booked.net, booked.source) == (1000, 59, 941, answered.id)
    assert world.v1.balance_transactions.list({"source": answered.id}).data[0].id == booked.id


def test_a_synchronous_capture_has_its_balance_transaction_at_once(world: World) -> None:
    world.tell("config", {"async_capture": False})
    charge = world.v1.charges.retrieve(world.pay(currency="jpy").latest_charge, {"expand": ["balance_transaction"]})
    assert (charge.balance_transaction.amount, charge.balance_transaction.fee) == (1000, 29)


def test_without_limits_it_charges_in_any_currency_as_a_scenario_may_be_in_one_that_stripe_has_not(
    world: World,
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid currency: mru"):
        world.pay(currency="mru")
    world.tell("config", {"limits": False})
    assert world.pay(currency="mru").status == "succeeded"


def test_who_does_not_authenticate_is_not_charged_and_only_the_intent_tells(world: World, receiver: Receiver) -> None:
    intent = world.pay("pm_card_authenticationRequired", off_session=False)
    world.tell(f"payment_intents/{intent.id}/authenticate", {"succeeded": False})
    after = world.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.latest_charge) == ("requires_payment_method", None)
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert "charge" not in after.last_payment_error.to_dict()
    assert world.v1.charges.list({"payment_intent": intent.id}).data == []
    world.quiet()
    assert receiver.ids("payment_intent.payment_failed")
    assert not receiver.ids("charge.failed")
