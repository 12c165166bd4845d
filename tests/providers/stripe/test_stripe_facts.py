"""Stripe's objects as our facts: what we act on is kept, what is personal is dropped, nothing is made up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from billing.kernel.errors import ProviderUnavailable, ProviderUncertain, ProviderUnreadable
from billing.providers.port import ChargeFacts, IntentFacts, MethodFacts
from billing.providers.reading import Unreadable
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.facts import charge_facts, dispute_facts, intent_facts, method_facts, setup_facts
from tests.providers.stripe.making import INVOICE, PAYMENT, charge, intent, method, provider_at
from tests.providers.stripe.scripted import says_json, scripted

CREATED = datetime.fromtimestamp(1_700_000_000, UTC)
CHARGE = ChargeFacts(charge_ref="ch_1", status="succeeded", amount_minor=1500, currency="eur", created=CREATED)


def test_an_intent_comes_with_its_charge_and_our_ids() -> None:
    with scripted(says_json(intent(latest_charge=charge()))) as server:
        facts = provider_at(server.address).read_intent("pi_1")
        assert server.heard[0].line == "GET /v1/payment_intents/pi_1?expand%5B0%5D=latest_charge HTTP/1.1"
    assert facts == IntentFacts(
        intent_ref="pi_1",
        status="succeeded",
        amount_minor=1500,
        currency="eur",
        customer_ref="cus_1",
        created=CREATED,
        metadata_invoice=str(INVOICE),
        metadata_payment=str(PAYMENT),
        latest_charge=CHARGE,
    )
    assert "Someone" not in repr(facts)


@pytest.mark.parametrize(
    "answer",
    [
        intent(latest_charge="ch_1"),
        intent(latest_charge=None),
        intent(id="pi_2", latest_charge=charge()),
        intent(id="pi_2", status="canceled", latest_charge=None),
    ],
    ids=["charge as an id", "money moved by no charge", "another", "another without a charge"],
)
def test_an_intent_that_is_not_what_was_asked_for_is_no_evidence(answer: dict[str, Any]) -> None:
    with scripted(says_json(answer)) as server, pytest.raises(ProviderUnavailable):
        provider_at(server.address).read_intent("pi_1")


def test_what_can_not_be_read_is_told_by_its_field_and_never_by_its_value() -> None:
    with scripted(says_json(charge(status="Someone Real"))) as server, pytest.raises(ProviderUnreadable) as odd:
        provider_at(server.address).read_charge("ch_1")
    assert "answer_unreadable_status" in str(odd.value)
    assert "Someone" not in str(odd.value)


def test_an_intent_made_by_somebody_else_has_no_ids_of_ours() -> None:
    facts = intent_facts(
        intent(metadata={"order": "7"}, customer={"id": "cus_9", "email": "a@example.org"}, latest_charge=charge())
    )
    assert (facts.metadata_invoice, facts.metadata_payment, facts.customer_ref) == (None, None, "cus_9")
    assert "example.org" not in repr(facts)


def test_a_failed_charge_says_why_as_the_issuer_said_it() -> None:
    verdict = {"reason": "insufficient_funds", "advice_code": "try_again_later"}
    facts = charge_facts(charge(status="failed", failure_code="card_declined", outcome=verdict))
    assert (facts.decline_code, facts.advice_code) == ("insufficient_funds", "try_again_later")
    bare = charge_facts(charge(status="failed", failure_code="expired_card", outcome=None))
    assert (bare.decline_code, bare.advice_code) == ("expired_card", None)


def test_a_charge_says_which_method_was_charged_and_nothing_of_its_holder() -> None:
    details = {"type": "paypal", "paypal": {"payer_name": "Someone Real", "payer_email": "someone@example.org"}}
    facts = charge_facts(charge(payment_method="pm_1", payment_method_details=details))
    assert (facts.method_ref, facts.method_kind) == ("pm_1", "stripe_paypal")
    assert "Someone" not in repr(facts)
    silent = charge_facts(charge(payment_method=None, payment_method_details=None))
    assert (silent.method_ref, silent.method_kind) == (None, None)


def test_a_charge_that_went_through_has_no_decline_even_if_radar_had_a_remark() -> None:
    facts = charge_facts(charge(outcome={"reason": "elevated_risk_level", "advice_code": None}))
    assert facts.decline_code is None


def test_free_text_is_never_taken_for_a_code() -> None:
    failed = {"code": "Someone Real", "decline_code": None}
    facts = intent_facts(intent(status="requires_payment_method", latest_charge=None, last_payment_error=failed))
    assert facts.last_error_code is None


def test_amounts_come_back_in_our_units() -> None:
    facts = charge_facts(charge(currency="ugx", amount=50_000, amount_refunded=10_000))
    assert (facts.amount_minor, facts.refunded_minor) == (500, 100)


def test_a_method_keeps_its_face_and_loses_its_holder() -> None:
    facts = method_facts(method())
    assert facts == MethodFacts(
        method_ref="pm_1",
        kind="card",
        customer_ref="cus_1",
        brand="visa",
        last4="4242",
        exp_month=12,
        exp_year=2031,
        funding="credit",
        issuing_country="DE",
        wallet="apple_pay",
        fingerprint="Fp1",
    )
    assert "Berlin" not in repr(facts)


def test_a_wallets_own_number_and_its_owners_contacts_are_dropped() -> None:
    wallet = {"type": "google_pay", "google_pay": {}, "dynamic_last4": "7901"}
    contacts = {"name": "Someone Real", "email": "someone@example.org", "phone": "+49 30 000"}
    raw = method(billing_details=contacts)
    raw["card"] |= {"wallet": wallet, "last4": "1111"}
    facts = method_facts(raw)
    assert (facts.kind, facts.wallet, facts.last4, facts.fingerprint) == ("card", "google_pay", "1111", "Fp1")
    assert not {"7901", "Someone", "example.org", "+49"} & set(repr(facts).replace("'", " ").split())
    assert method_facts(method(card={"brand": "visa", "wallet": None})).wallet is None


def test_a_method_of_a_kind_we_do_not_know_yet_is_still_a_method() -> None:
    facts = method_facts(method(type="new_wallet", card=None, new_wallet={}))
    assert (facts.kind, facts.brand, facts.exp_year) == ("new_wallet", None, None)


def test_a_finished_set_up_names_its_method_and_mandate() -> None:
    raw = {"id": "seti_1", "object": "setup_intent", "status": "succeeded", "payment_method": "pm_1", "mandate": None}
    facts = setup_facts(raw)
    assert (facts.status, facts.method_ref, facts.mandate_ref) == ("succeeded", "pm_1", None)


@pytest.mark.parametrize(
    "raw",
    [
        charge(amount="1500"),
        charge(amount=True),
        charge(currency="zzz"),
        charge(currency="isk", amount=550),
        charge(created=10**20),
        charge(status=None),
        charge(status="held_back"),
        charge(id=""),
        intent(),
    ],
)
def test_what_is_missing_or_of_another_type_is_never_made_up(raw: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        charge_facts(raw)


@pytest.mark.parametrize(
    ("said", "moved", "known"),
    [
        ("appeal_needs_response", [-1190], "needs_response"),
        ("appeal_under_review", [-1190], "under_review"),
        ("prevented", [], "warning_closed"),
        ("prevented", [-1190], "lost"),
        ("prevented", [-1190, 1190], "warning_closed"),
        ("of_a_later_version", [], "warning_under_review"),
        ("of_a_later_version", [-1190], "under_review"),
    ],
)
def test_no_state_of_a_dispute_keeps_its_money_from_being_read(said: str, moved: list[int], known: str) -> None:
    facts = dispute_facts(
        {
            "id": "du_1",
            "object": "dispute",
            "charge": "ch_1",
            "status": said,
            "amount": 1190,
            "currency": "eur",
            "created": 1,
            "balance_transactions": [{"amount": amount, "currency": "eur"} for amount in moved],
        }
    )
    assert (facts.status, facts.withdrawn_minor) == (known, -min([*moved, 0]))


DISPUTE = {"id": "du_1", "object": "dispute", "charge": "ch_1", "status": "under_review", "amount": 1500}
STAMPED = {"currency": "eur", "created": 1_700_000_000}
READS: dict[str, tuple[Callable[[StripeProvider, str], object], dict[str, Any]]] = {
    "intent": (StripeProvider.read_intent, intent(latest_charge=charge())),
    "charge": (StripeProvider.read_charge, charge()),
    "refund": (
        StripeProvider.read_refund,
        {"id": "re_1", "object": "refund", "status": "failed", "amount": 5} | STAMPED,
    ),
    "dispute": (StripeProvider.read_dispute, DISPUTE | STAMPED),
    "payout": (
        StripeProvider.read_payout,
        {"id": "po_1", "object": "payout", "status": "paid", "amount": 5, "arrival_date": 1_700_000_000} | STAMPED,
    ),
    "method": (StripeProvider.read_method, method()),
    "set-up": (StripeProvider.read_setup, {"id": "seti_1", "object": "setup_intent", "status": "succeeded"}),
    "mandate": (StripeProvider.read_mandate, {"id": "mandate_1", "object": "mandate", "status": "inactive"}),
    "warning": (
        StripeProvider.read_fraud_warning,
        {"id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1"} | STAMPED,
    ),
    "customer": (StripeProvider.has_customer, {"id": "cus_1", "object": "customer", "deleted": True}),
}


@pytest.mark.parametrize("what", READS.keys())
def test_an_answer_about_another_object_is_none(what: str) -> None:
    """A refund would fail, a card be lost, and a payout come back that never did."""
    read, answer = READS[what]
    with scripted(says_json(answer)) as server:
        provider = provider_at(server.address)
        read(provider, answer["id"])
        with pytest.raises(ProviderUnavailable):
            read(provider, "another_1")


def test_an_answer_about_another_refund_leaves_open_what_became_of_ours() -> None:
    ours = UUID("01890000-0000-7000-8000-000000000007")
    answer = {"id": "re_1", "object": "refund", "status": "succeeded", "amount": 1500, "charge": "ch_1"} | STAMPED
    asked: dict[str, Any] = {"charge_ref": "ch_1", "amount_minor": 1500, "currency": "eur", "key": "k"}
    with scripted(says_json(answer | {"metadata": {"refund_id": str(ours)}})) as server:
        provider = provider_at(server.address)
        assert provider.refund(refund_id=ours, **asked).refund_ref == "re_1"
        with pytest.raises(ProviderUncertain):
            provider.refund(refund_id=INVOICE, **asked)
