"""Stripe's adapter with a wallet at PayPal: what the contract asks of any method, by a kind of its own."""

from __future__ import annotations

from uuid import uuid4

import pytest

from billing.providers.port import ChargeRequest, Outcome
from tests.providers.contract.worlds import World, only_where


@pytest.fixture
def stripe(world: World) -> World:
    only_where(world.traits.has_customers, "PayPal itself has no other way to PayPal")
    return world


def wanted(world: World, name: str, *, currency: str = "eur", on_session: bool = False) -> ChargeRequest:
    owner = world.provider.create_customer(anonymous_id=uuid4(), key=str(uuid4()))
    method = world.provider.attach_method(customer_ref=owner, method_ref=name, key=str(uuid4()))
    assert (method.kind, method.last4, method.fingerprint) == ("stripe_paypal", None, None)
    assert "payer@example.net" not in repr(method)
    return ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=owner,
        method_ref=method.method_ref,
        amount_minor=1500,
        currency=currency,
        kind=method.kind,
        on_session=on_session,
    )


@pytest.mark.parametrize("on_session", [False, True])
def test_it_is_charged_once_a_key_and_given_back(stripe: World, *, on_session: bool) -> None:
    request = wanted(stripe, "pm_sandbox_paypal", on_session=on_session)
    first = stripe.provider.charge(request, key=str(request.payment_id), key_age_s=0)
    again = stripe.provider.charge(request, key=str(request.payment_id), key_age_s=60)
    assert (first.outcome, again.charge_ref, again.replayed) == (Outcome.SUCCEEDED, first.charge_ref, True)
    assert [each.amount_minor for each in stripe.moved() if each.status == "succeeded"][-1:] == [1500]
    given = stripe.provider.refund(
        refund_id=uuid4(), charge_ref=first.charge_ref or "", amount_minor=500, currency="eur", key=str(uuid4())
    )
    assert (given.status, given.amount_minor) == ("succeeded", 500)
    assert stripe.breaches() == []


def test_a_decline_names_paypals_reason_and_the_intent_takes_another_method(stripe: World) -> None:
    request = wanted(stripe, "pm_sandbox_paypal_declined")
    outcome = stripe.provider.charge(request, key=str(request.payment_id), key_age_s=0)
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_provider_decline")
    intent = stripe.provider.read_intent(outcome.intent_ref or "")
    assert (intent.status, intent.last_error_code) == ("requires_payment_method", "payment_method_provider_decline")


def test_it_is_set_up_without_a_word_of_the_payer(stripe: World) -> None:
    owner = stripe.provider.create_customer(anonymous_id=uuid4(), key=str(uuid4()))
    begun = stripe.provider.begin_setup(customer_ref=owner, key=str(uuid4()), kind="stripe_paypal")
    assert stripe.provider.read_setup(begun.setup_ref).status == "requires_payment_method"
    assert (bool(begun.client_secret), begun.approve_url, stripe.breaches()) == (True, None, [])
