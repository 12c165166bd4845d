"""Debits of a bank account through the real flows, on the stage of a played scenario."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import payment_methods
from billing.kernel.errors import Refused
from billing.models import PaymentMethod
from billing.providers.stripe.sent import told
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.payment_method import Consent
from tests.wallets import START, attempts, bill, give, moved, status_of


def offer(stage: Stage, *kinds: str) -> None:
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET method_kinds = :kinds"), {"kinds": list(kinds)})


def pass_days(stage: Stage, days: float) -> None:
    """The clock moves, and what is due at the provider happens."""
    stage.set_clock(stage.now + timedelta(days=days))
    stage.settle()


def test_a_debit_is_paid_when_the_bank_says_so_and_not_before(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, anna)
    for _ in range(4):
        pass_days(stage, 1)
        assert [each.status for each in attempts(stage, invoice)] == ["processing"]
    pass_days(stage, 1)
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])
    assert [each.method_kind for each in attempts(stage, invoice)] == ["sepa_debit"]


def test_an_account_is_not_debited_in_a_currency_that_it_has_not(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, anna, currency="usd")
    assert (status_of(stage, invoice), attempts(stage, invoice)) == ("open", [])
    give(stage, anna, "pm_card_visa", provider="stripe")
    stage.settle()
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])


def test_one_intent_is_confirmed_with_methods_of_several_kinds(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_card_visa_chargeDeclinedInsufficientFunds", provider="stripe")
    invoice = bill(stage, anna)
    give(stage, anna, "pm_sandbox_sepa_accountClosed", provider="stripe")
    stage.settle()
    pass_days(stage, 5)
    give(stage, anna, "pm_card_visa", provider="stripe")
    stage.settle()
    tried = attempts(stage, invoice)
    assert [each.status for each in tried] == ["declined", "declined", "succeeded"]
    assert [each.method_kind for each in tried] == [None, "sepa_debit", "card"]
    (intent,) = stage.sides["stripe"].witness.intents()
    assert intent.confirms == 3
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])
    assert list(told(stage.sides["stripe"].witness.requests())) == []


def test_only_a_kind_that_the_seller_offers_is_set_up(stage: Stage, anna: UUID) -> None:
    consent = Consent(text_version="test", given_at=START - timedelta(days=1))

    def begin(kind: str | None) -> str:
        account = stage.account("stripe")
        begun = payment_methods.add(
            stage.parts, profile_id=anna, provider_account_id=account, consent=consent, kind=kind
        )
        with stage.parts.begin() as session:
            return session.get_one(PaymentMethod, begun.method_id).kind

    assert (begin(None), begin("card")) == ("card", "card")
    with pytest.raises(Refused) as refused:
        begin("sepa_debit")
    assert refused.value.code == "method_kind_not_offered"
    offer(stage, "sepa_debit")
    assert (begin(None), begin("sepa_debit")) == ("sepa_debit", "sepa_debit")
    with pytest.raises(Refused):
        begin("card")
