"""Stripe's adapter with a bank account: what the contract asks of any method, where the answer takes days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.providers.port import ChargeRequest, Outcome
from tests.providers.contract.test_contract_charges import send, wait_until
from tests.providers.contract.worlds import Fault, World, only_where

BANK = timedelta(days=5, minutes=1)


@pytest.fixture
def stripe(world: World) -> World:
    only_where(world.traits.has_customers, "PayPal debits no accounts")
    world.witness.set_clock(world.now())
    return world


def debit(world: World, name: str = "pm_sandbox_sepa") -> ChargeRequest:
    owner = world.provider.create_customer(anonymous_id=uuid4(), key=str(uuid4()))
    method = world.provider.attach_method(customer_ref=owner, method_ref=name, key=str(uuid4()))
    assert (method.kind, method.brand, bool(method.last4), bool(method.fingerprint)) == ("sepa_debit", None, True, True)
    return ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=owner,
        method_ref=method.method_ref,
        amount_minor=1500,
        currency="eur",
        kind=method.kind,
    )


def after_days(world: World, intent_ref: str | None) -> str:
    assert intent_ref
    world.advance(BANK)
    wait_until(lambda: world.provider.read_intent(intent_ref or "").status != "processing")
    return intent_ref


@pytest.mark.parametrize("fault", [None, Fault.TIMEOUT_AFTER, Fault.DISCONNECT_AFTER, Fault.TIMEOUT_BEFORE])
def test_it_is_asked_for_once_a_key_whatever_became_of_the_answer(stripe: World, fault: Fault | None) -> None:
    request = debit(stripe)
    if fault is not None:
        stripe.next_charge(fault)
        assert send(stripe, request).outcome is Outcome.UNKNOWN
    first, again = send(stripe, request, key_age_s=60), send(stripe, request, key_age_s=90)
    assert (first.outcome, again.outcome, again.charge_ref) == (Outcome.PROCESSING,) * 2 + (first.charge_ref,)
    assert [each.status for each in stripe.moved()] == ["pending"]
    intent_ref = after_days(stripe, first.intent_ref)
    facts = stripe.provider.read_intent(intent_ref)
    assert (facts.status, facts.latest_charge and facts.latest_charge.status) == ("succeeded", "succeeded")
    assert [(each.status, each.amount_minor) for each in stripe.moved()] == [("succeeded", 1500)]
    (listed,) = stripe.provider.list_intents(customer_ref=request.customer_ref, created_from=facts.created)
    assert (listed.intent_ref, listed.metadata_payment) == (intent_ref, str(request.payment_id))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("insufficientFunds", "insufficient_funds"),
        ("accountClosed", "account_closed"),
        ("debitNotAuthorized", "debit_not_authorized"),
        ("bankAccountRestricted", "bank_account_restricted"),
    ],
)
def test_it_fails_days_later_and_the_intent_takes_another_kind(stripe: World, name: str, code: str) -> None:
    request = debit(stripe, f"pm_sandbox_sepa_{name}")
    intent_ref = after_days(stripe, send(stripe, request).intent_ref)
    charge = stripe.provider.read_intent(intent_ref).latest_charge
    assert charge is not None
    assert (charge.status, charge.decline_code, charge.advice_code) == ("failed", code, None)
    card = stripe.provider.attach_method(customer_ref=request.customer_ref, method_ref="pm_card_visa", key=str(uuid4()))
    other = replace(request, payment_id=uuid4(), intent_ref=intent_ref, method_ref=card.method_ref, kind="card")
    assert send(stripe, other).outcome is Outcome.SUCCEEDED
    assert sorted(each.status for each in stripe.moved()) == ["failed", "succeeded"]


def test_while_the_bank_is_asked_it_can_neither_be_canceled_nor_asked_for_again(stripe: World) -> None:
    request = debit(stripe)
    first = send(stripe, request)
    assert first.intent_ref
    assert stripe.provider.cancel_intent(first.intent_ref, key=str(uuid4())).status == "processing"
    second = send(stripe, replace(request, payment_id=uuid4(), intent_ref=first.intent_ref))
    assert (second.outcome, second.reason) == (Outcome.UNKNOWN, "intent_is_processing")
    assert len(stripe.moved()) == 1


def test_money_is_given_back_and_taken_back_and_a_mandate_that_ended_is_no_leave(stripe: World) -> None:
    request = debit(stripe)
    after_days(stripe, send(stripe, request).intent_ref)
    (moved,) = stripe.moved()
    given = stripe.provider.refund(
        refund_id=uuid4(), charge_ref=moved.charge_ref, amount_minor=400, currency="eur", key=str(uuid4())
    )
    assert (given.status, given.charge_ref) == ("succeeded", moved.charge_ref)
    facts = stripe.provider.read_dispute(stripe.dispute(moved.charge_ref, inquiry=False))
    assert (facts.status, facts.withdrawn_minor, facts.refundable, facts.due_by) == ("lost", 1500, False, None)
    stripe.witness.call("POST", "mandates", {"payment_method": request.method_ref})
    outcome = send(stripe, replace(request, payment_id=uuid4(), invoice_id=uuid4()))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_unusable")


def test_its_end_is_told_by_a_signed_event(stripe: World) -> None:
    with stripe.listening():
        intent_ref = after_days(stripe, send(stripe, debit(stripe)).intent_ref)
        told = stripe.delivery("payment_intent.succeeded")
        event = stripe.provider.verify_event(
            raw=told.raw, signature=told.signature, secrets=[stripe.secret], wall_now=told.at
        )
    assert event.object_ref == intent_ref
