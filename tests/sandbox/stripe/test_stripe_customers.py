"""Customers, payment methods and set-ups."""

from __future__ import annotations

import stripe

from tests.sandbox.stripe.making import CARD, World, refusal


def test_a_customer_is_created_read_changed_and_deleted(world: World) -> None:
    customers = world.v1.customers
    customer = customers.create({"metadata": {"anonymous_id": "a", "old": "x"}, "description": "d"})
    assert customer.id.startswith("cus_")
    assert customer.livemode is False
    changed = customers.update(customer.id, {"metadata": {"old": "", "new": "y"}, "description": ""})
    assert changed.metadata.to_dict() == {"anonymous_id": "a", "new": "y"}
    assert changed.description is None
    assert customers.delete(customer.id).deleted
    assert customers.retrieve(customer.id).deleted
    assert refusal(lambda: customers.update(customer.id, {})).code == "resource_missing"
    assert customers.list().data == []


def test_a_test_name_becomes_a_method_of_the_customer(world: World) -> None:
    customer, method = world.customer("pm_card_visa")
    assert method.startswith("pm_")
    assert method != "pm_card_visa"
    read = world.v1.payment_methods.retrieve(method)
    assert (read.customer, read.card.brand, read.card.last4) == (customer, "visa", "4242")
    assert [each.id for each in world.v1.payment_methods.list({"customer": customer}).data] == [method]
    assert [each.id for each in world.v1.customers.payment_methods.list(customer).data] == [method]


def test_attaching_again_is_harmless_and_elsewhere_refused(world: World) -> None:
    customer, method = world.customer("pm_card_mastercard")
    assert world.v1.payment_methods.attach(method, {"customer": customer}).id == method
    other, _ = world.customer()
    assert refusal(lambda: world.v1.payment_methods.attach(method, {"customer": other})).http_status == 400


def test_a_detached_method_is_never_used_again(world: World) -> None:
    customer, method = world.customer("pm_card_visa")
    assert world.v1.payment_methods.detach(method).customer is None
    assert world.v1.payment_methods.list({"customer": customer}).data == []
    assert refusal(lambda: world.v1.payment_methods.attach(method, {"customer": customer})).http_status == 400
    order = {**world.order(), "customer": customer, "payment_method": method}
    assert refusal(lambda: world.v1.payment_intents.create(order)).http_status == 400
    assert refusal(lambda: world.v1.payment_methods.detach(method)).http_status == 400


def test_declining_cards_are_saved_unless_stripes_own_rule_is_wanted(world: World) -> None:
    assert world.customer("pm_card_chargeDeclined")[1]
    world.tell("config", {"save_declining_cards": False})
    error = refusal(lambda: world.customer("pm_card_chargeDeclined"), stripe.CardError)
    assert error.error.decline_code == "generic_decline"
    assert world.customer("pm_card_chargeCustomerFail")[1]
    setup = {"payment_method": "pm_card_chargeDeclined", "confirm": True, **CARD}
    error = refusal(lambda: world.v1.setup_intents.create(setup), stripe.CardError)
    assert error.error.setup_intent.status == "requires_payment_method"


def test_a_set_up_attaches_its_method(world: World) -> None:
    customer, _ = world.customer()
    begun = world.v1.setup_intents.create({"customer": customer, "usage": "off_session", **CARD})
    assert (begun.status, begun.usage) == ("requires_payment_method", "off_session")
    assert begun.client_secret.startswith(begun.id + "_secret_")
    done = world.v1.setup_intents.confirm(begun.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    assert world.v1.payment_methods.retrieve(done.payment_method).customer == customer
    assert refusal(lambda: world.v1.setup_intents.cancel(begun.id)).code == "setup_intent_unexpected_state"
    assert [each.id for each in world.v1.setup_intents.list({"customer": customer}).data] == [begun.id]
    assert len(world.v1.setup_intents.list({"payment_method": done.payment_method}).data) == 1


def test_a_set_up_is_canceled_while_it_is_open(world: World) -> None:
    begun = world.v1.setup_intents.create(CARD)
    canceled = world.v1.setup_intents.cancel(begun.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert world.v1.setup_intents.retrieve(begun.id).status == "canceled"


def test_a_card_set_up_with_authentication_is_charged_off_session(world: World) -> None:
    customer, _ = world.customer()
    setup = world.v1.setup_intents.create(
        {"customer": customer, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True, **CARD}
    )
    assert setup.status == "requires_action"
    done = world.tell(f"setup_intents/{setup.id}/authenticate", {"succeeded": True})
    assert done["status"] == "succeeded"
    order = {**world.order(), "customer": customer, "payment_method": done["payment_method"]}
    assert world.v1.payment_intents.create(order).status == "succeeded"


def test_a_set_up_whose_authentication_fails_wants_another_method(world: World) -> None:
    setup = world.v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True, **CARD})
    failed = world.tell(f"setup_intents/{setup.id}/authenticate", {"succeeded": False})
    assert failed["status"] == "requires_payment_method"
    assert failed["last_setup_error"]["code"] == "authentication_required"


def test_automatic_methods_need_a_return_url_unless_off_session(world: World) -> None:
    plain = {name: value for name, value in world.order().items() if name not in CARD}
    assert world.v1.payment_intents.create(plain).automatic_payment_methods.allow_redirects == "always"
    on_session = {**plain, "off_session": False}
    assert refusal(lambda: world.v1.payment_intents.create(on_session)).param == "return_url"
    never = {**on_session, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert world.v1.payment_intents.create(never).status == "succeeded"
    assert world.v1.payment_intents.create({**on_session, "return_url": "https://example.com"}).status == "succeeded"
    setup = {"payment_method": "pm_card_visa", "confirm": True}
    assert refusal(lambda: world.v1.setup_intents.create(setup)).param == "return_url"
    both = {**never, **CARD}
    assert refusal(lambda: world.v1.payment_intents.create(both)).param == "automatic_payment_methods"
