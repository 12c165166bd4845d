"""Wallets at PayPal at the stand-in: charged by a mandate, declined by PayPal, disputed, refunded for 180 days."""

from __future__ import annotations

from typing import Any

import stripe

from tests.sandbox.stripe.making import Receiver, World, refusal

PAYPAL: dict[str, Any] = {"allowed_payment_method_types": ["paypal"]}


def test_its_objects_have_the_fields_that_the_pinned_sdk_names(world: World) -> None:
    paid = world.pay("pm_sandbox_paypal", **PAYPAL)
    method = world.v1.payment_methods.retrieve(paid.payment_method)
    assert method.type == "paypal"
    assert set(method.paypal.to_dict()) == set(stripe.PaymentMethod.Paypal.__annotations__)
    charge = world.v1.charges.retrieve(paid.latest_charge)
    details = charge.payment_method_details.paypal.to_dict()
    assert set(details) == set(stripe.Charge.PaymentMethodDetails.Paypal.__annotations__)
    dispute = world.tell("disputes", {"charge": charge.id})
    (listed,) = world.v1.disputes.list({"charge": charge.id}).data
    told = dispute["payment_method_details"]["paypal"]
    assert set(told) == set(stripe.Dispute.PaymentMethodDetails.Paypal.__annotations__)
    assert (listed.status, [move.amount for move in listed.balance_transactions]) == ("needs_response", [-1000])


def test_a_set_up_makes_the_mandate_by_which_it_is_charged_and_without_it_it_is_not(world: World) -> None:
    customer, _ = world.customer()
    setup = world.v1.setup_intents.create({"customer": customer, "usage": "off_session", **PAYPAL})
    done = world.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_sandbox_paypal"})
    mandate = world.v1.mandates.retrieve(done.mandate)
    assert set(mandate.payment_method_details.paypal.to_dict()) == set(
        stripe.Mandate.PaymentMethodDetails.Paypal.__annotations__
    )
    order = {"amount": 900, "currency": "eur", "customer": customer, "payment_method": done.payment_method}
    confirmed = {**order, "confirm": True, "off_session": True, **PAYPAL}
    assert world.v1.payment_intents.create(confirmed).status == "succeeded"
    world.tell("mandates", {"payment_method": done.payment_method})
    assert refusal(lambda: world.v1.payment_intents.create(confirmed)).code == "payment_intent_mandate_invalid"


def test_paypal_takes_fourteen_currencies_alone(world: World) -> None:
    error = refusal(lambda: world.pay("pm_sandbox_paypal", currency="jpy", **PAYPAL))
    assert error.code == "payment_intent_incompatible_payment_method"


def test_paypal_declines_with_a_code_of_its_own_and_gives_back_for_180_days(world: World, receiver: Receiver) -> None:
    declined = refusal(lambda: world.pay("pm_sandbox_paypal_declined", **PAYPAL), stripe.CardError)
    assert declined.code == "payment_method_provider_decline"
    world.quiet()
    assert receiver.ids("payment_intent.payment_failed")
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    paid = world.pay("pm_sandbox_paypal", **PAYPAL)
    refund = world.v1.refunds.create({"payment_intent": paid.id, "amount": 400})
    assert refund.destination_details.type == "paypal"
    world.tell("clock", {"now": "2026-07-01T00:00:00Z"})
    assert refusal(lambda: world.v1.refunds.create({"payment_intent": paid.id})).code == "charge_not_refundable"
