"""Customers, methods, set-ups, reads and lists: what every provider's adapter must do beside charging."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.providers.port import ChargeRequest, Outcome
from tests.providers.contract.worlds import Behaviour, Fault, World, only_where


def test_a_customer_is_created_once_a_key(world: World) -> None:
    only_where(world.traits.has_customers, "the anonymous id is the name, and nothing is created")
    anonymous_id, key = uuid4(), str(uuid4())
    first = world.provider.create_customer(anonymous_id=anonymous_id, key=key)
    assert world.provider.create_customer(anonymous_id=anonymous_id, key=key) == first
    assert world.provider.create_customer(anonymous_id=anonymous_id, key=str(uuid4())) != first


def test_a_key_used_for_another_customer_is_refused_not_guessed(world: World) -> None:
    only_where(world.traits.has_customers, "the anonymous id is the name, and nothing is created")
    key = str(uuid4())
    world.provider.create_customer(anonymous_id=uuid4(), key=key)
    with pytest.raises(ProviderRefused) as refusal:
        world.provider.create_customer(anonymous_id=uuid4(), key=key)
    assert refusal.value.code == "key_parameters_differ"


def test_a_method_shows_what_a_person_needs_to_recognise_it(world: World) -> None:
    customer_ref, method_ref = world.vaulted(Behaviour.GOOD)
    method = world.provider.read_method(method_ref)
    assert method.customer_ref == customer_ref
    assert {field.name for field in dataclasses.fields(method)}.isdisjoint({"name", "email", "phone", "address"})
    if not world.traits.has_customers:
        assert (method.kind, method.brand) == ("paypal", "paypal")
        return
    assert (method.kind, method.brand) == ("card", "visa")
    assert method.last4
    assert len(method.last4) == 4
    assert method.exp_month in range(1, 13)
    assert method.fingerprint


def test_a_card_from_a_wallet_is_a_card_that_is_charged_while_nobody_is_there(world: World) -> None:
    only_where(world.traits.has_customers, "a wallet there is no card")
    customer_ref, _ = world.vaulted(Behaviour.GOOD)
    attach, key = world.provider.attach_method, str(uuid4())
    method = attach(customer_ref=customer_ref, method_ref="pm_sandbox_applePay", key=key)
    assert (method.kind, method.brand, method.last4, method.wallet) == ("card", "visa", "4242", "apple_pay")
    assert "alletowner" not in repr(method)
    wanted = ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=customer_ref,
        method_ref=method.method_ref,
        amount_minor=1500,
        currency="eur",
    )
    assert world.provider.charge(wanted, key=str(wanted.payment_id), key_age_s=0).outcome is Outcome.SUCCEEDED


def test_a_method_taken_away_has_no_customer_any_more(world: World) -> None:
    _, method_ref = world.vaulted(Behaviour.GOOD)
    world.provider.detach_method(method_ref, key=str(uuid4()))
    if world.traits.has_customers:
        assert world.provider.read_method(method_ref).customer_ref is None
        return
    with pytest.raises(ProviderRefused):
        world.provider.read_method(method_ref)
    world.provider.detach_method(method_ref, key=str(uuid4()))


def test_a_set_up_begins_with_a_secret_that_no_log_shows(world: World) -> None:
    customer_ref, method_ref = world.vaulted(Behaviour.GOOD)
    back, kind = "https://pay.example.com/pay-return", world.provider.read_method(method_ref).kind
    started = world.provider.begin_setup(customer_ref=customer_ref, key=str(uuid4()), kind=kind, return_url=back)
    facts = world.provider.read_setup(started.setup_ref)
    assert (facts.setup_ref, facts.method_ref) == (started.setup_ref, None)
    if started.approve_url is not None:
        assert (facts.status, started.client_secret) == ("requires_action", None)
        return
    assert started.client_secret
    assert started.client_secret not in repr(started)
    assert facts.status == "requires_payment_method"


def test_whose_key_this_is_can_be_asked(world: World) -> None:
    account = world.provider.account()
    assert account.account_ref
    assert account.livemode is False
    assert account.kinds == (("card", "sepa_debit", "stripe_paypal") if world.traits.has_customers else ())


def test_a_domain_is_registered_once_where_the_provider_asks_for_it(world: World) -> None:
    if not world.traits.has_customers:
        with pytest.raises(ProviderRefused) as refusal:
            world.provider.register_domain("pay.example.com", key=str(uuid4()))
        assert refusal.value.code == "not_supported"
        return
    assert world.provider.read_domain("pay.example.com") is None
    made = world.provider.register_domain("pay.example.com", key=str(uuid4()))
    assert (made.enabled, made.ready, made.waiting) == (True, ("apple_pay", "google_pay", "link"), ())
    assert world.provider.register_domain("pay.example.com", key=str(uuid4())) == made
    assert world.provider.read_domain("pay.example.com") == made
    assert world.provider.register_domain("unverified.example.com", key=str(uuid4())).waiting == ("apple_pay",)


def test_what_does_not_exist_is_refused_with_the_providers_code(world: World) -> None:
    for read in (
        lambda: world.provider.read_intent("pi_missing"),
        lambda: world.provider.read_method("pm_missing"),
        lambda: world.provider.read_setup("seti_missing"),
    ):
        with pytest.raises(ProviderRefused) as refusal:
            read()
        assert refusal.value.code == ("resource_missing" if world.traits.has_customers else "invalid_resource_id")
        assert refusal.value.account_wide is False


def test_a_dead_key_is_told_from_a_missing_object(world: World) -> None:
    with pytest.raises(ProviderRefused) as refusal:
        world.with_dead_key().read_intent("pi_missing")
    assert refusal.value.account_wide is True


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.RATE_LIMIT, Fault.ERROR_BEFORE])
def test_a_read_that_fails_can_be_asked_again(world: World, fault: Fault) -> None:
    world.next_charge(fault)
    with pytest.raises(ProviderUnavailable):
        world.provider.read_intent("pi_missing")


def test_a_cancel_without_an_answer_is_uncertain_and_the_same_key_settles_it(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    customer_ref, method_ref = world.vaulted(Behaviour.NO_FUNDS)
    wanted = ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=customer_ref,
        method_ref=method_ref,
        amount_minor=900,
        currency="usd",
    )
    outcome = world.provider.charge(wanted, key=str(wanted.payment_id), key_age_s=0)
    world.next_charge(Fault.TIMEOUT_AFTER)
    key = f"{wanted.payment_id}:cancel"
    with pytest.raises(ProviderUncertain):
        world.provider.cancel_intent(outcome.intent_ref or "", key=key)
    assert world.provider.cancel_intent(outcome.intent_ref or "", key=key).status == "canceled"


def test_a_list_has_every_page_and_only_this_customers_intents(world: World) -> None:
    world.vaulted(Behaviour.GOOD)
    began = world.now()
    customer_ref, method_ref = world.vaulted(Behaviour.GOOD)
    wanted = [
        ChargeRequest(
            payment_id=uuid4(),
            invoice_id=uuid4(),
            customer_ref=customer_ref,
            method_ref=method_ref,
            amount_minor=1000 + n,
            currency="eur",
        )
        for n in range(103)
    ]
    for each in wanted:
        assert world.provider.charge(each, key=str(each.payment_id), key_age_s=0).outcome is Outcome.SUCCEEDED
    listed = list(world.provider.list_intents(customer_ref=customer_ref, created_from=began))
    if not world.traits.has_customers:
        # Only the whole account has a list, the oldest first.
        assert [each.metadata_payment for each in listed] == [str(each.payment_id) for each in wanted]
        return
    assert [each.metadata_payment for each in reversed(listed)] == [str(each.payment_id) for each in wanted]
    assert {each.customer_ref for each in listed} == {customer_ref}
    afterwards = began + timedelta(days=1)
    assert list(world.provider.list_intents(customer_ref=customer_ref, created_from=afterwards)) == []


def test_a_list_that_breaks_off_raises_rather_than_end(world: World) -> None:
    customer_ref, _ = world.vaulted(Behaviour.GOOD)
    world.next_list(Fault.DISCONNECT_AFTER)
    with pytest.raises(ProviderUnavailable):
        list(world.provider.list_intents(customer_ref=customer_ref, created_from=world.now()))


def test_a_delivery_is_verified_by_its_secret_alone(world: World) -> None:
    customer_ref, method_ref = world.vaulted(Behaviour.GOOD)
    wanted = ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=customer_ref,
        method_ref=method_ref,
        amount_minor=1500,
        currency="eur",
    )
    with world.listening():
        outcome = world.provider.charge(wanted, key=str(wanted.payment_id), key_age_s=0)
        came = world.delivery(world.traits.paid)
    verify = world.provider.verify_event
    secrets = ["whsec_newer", world.secret]
    world.provider.get_ready([came.signature], secrets=secrets, wall_now=came.at)
    facts = verify(raw=came.raw, signature=came.signature, secrets=secrets, wall_now=came.at)
    assert (facts.type, facts.object_type) == (world.traits.paid, world.traits.paid_of)
    assert (facts.object_ref, facts.secret_index, facts.livemode) == (outcome.intent_ref, 1, False)
    with pytest.raises(Refused):
        verify(raw=came.raw, signature=came.signature, secrets=["whsec_newer"], wall_now=came.at)
    with pytest.raises(Refused):
        verify(raw=came.raw + b" ", signature=came.signature, secrets=secrets, wall_now=came.at)
    late = came.at + timedelta(days=5)
    with pytest.raises(Refused):
        verify(raw=came.raw, signature=came.signature, secrets=secrets, wall_now=late)
