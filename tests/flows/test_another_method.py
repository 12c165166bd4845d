"""Which of a customer's methods is tried: the default, at whichever provider; another only after a definite decline."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows.payment_methods import remove
from billing.models import PaymentMethod
from billing.sandbox.scenario.playing.stage import NotSettled, Stage
from tests.wallets import START, attempts, bill, give, moved, only_invoice, status_of, sweep


def test_before_paypal_is_asked_the_intent_at_stripe_is_canceled(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_card_visa_chargeDeclinedInsufficientFunds", provider="stripe")
    invoice = bill(stage, anna)
    assert [each.status for each in stage.sides["stripe"].witness.intents()] == ["requires_payment_method"]
    give(stage, anna, "B-SANDBOX-GOOD")
    stage.settle()
    assert [each.status for each in stage.sides["stripe"].witness.intents()] == ["canceled"]
    assert (status_of(stage, invoice), moved(stage), moved(stage, "stripe")) == ("paid", [1000], [])


def test_another_provider_is_never_asked_while_an_outcome_is_unknown(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    faults = stage.sides["paypal"].stand_in.faults
    faults.add([{"kind": "timeout_after", "rate": 1, "path": "/v2/checkout/orders"}])
    with pytest.raises(NotSettled):
        bill(stage, anna)
    give(stage, anna, "pm_card_visa", provider="stripe")
    with pytest.raises(NotSettled):
        stage.settle()
    assert (moved(stage), moved(stage, "stripe")) == ([1000], [])
    faults.clear()
    stage.settle()
    assert (moved(stage), moved(stage, "stripe")) == ([1000], [])


@pytest.fixture
def falls_back(stage: Stage, anna: UUID) -> UUID:
    """Anna, whose seller lets another method be tried; with a card beside whatever wallet becomes her default."""
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET fall_back = true"))
    give(stage, anna, "pm_card_visa", provider="stripe")
    return anna


@pytest.mark.parametrize("wallet", ["NOFUNDS", "LOST"])
def test_after_a_definite_decline_another_method_is_tried_at_once_where_the_seller_says_so(
    stage: Stage, falls_back: UUID, wallet: str
) -> None:
    give(stage, falls_back, f"B-SANDBOX-{wallet}")
    invoice = bill(stage, falls_back)
    sweep(stage, invoice)
    assert [each.status for each in attempts(stage, invoice)] == ["declined", "succeeded"]
    assert (status_of(stage, invoice), moved(stage), moved(stage, "stripe")) == ("paid", [], [1000])
    with stage.parts.begin() as session:
        default = session.scalars(select(PaymentMethod).where(PaymentMethod.is_default)).one()
        assert default.kind == "paypal", "what was tried in its place is no default"


def test_without_the_sellers_word_no_other_method_is_tried(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_card_visa", provider="stripe")
    give(stage, anna, "B-SANDBOX-NOFUNDS")
    invoice = bill(stage, anna)
    sweep(stage, invoice)
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("open", [])


@pytest.mark.parametrize(("wallet", "tries"), [("NOFUNDS", 4), ("LOST", 2)])
def test_each_method_is_tried_once_a_moment_and_the_defaults_decline_decides(
    stage: Stage, anna: UUID, falls_back: UUID, wallet: str, tries: int
) -> None:
    give(stage, anna, "pm_card_visa_chargeDeclinedLostCard", provider="stripe")
    with stage.parts.begin() as session:
        visa = session.scalars(select(PaymentMethod).where(~PaymentMethod.is_default)).one()
    remove(stage.parts, method_id=visa.id)
    give(stage, anna, f"B-SANDBOX-{wallet}")
    invoice = bill(stage, anna)
    sweep(stage, invoice)
    stage.set_clock(START + timedelta(days=3))
    for _ in range(3):
        sweep(stage, invoice)
    with stage.parts.begin() as session:
        kinds = {each.id: each.kind for each in session.scalars(select(PaymentMethod))}
    tried = [kinds[each.payment_method_id] for each in attempts(stage, invoice)]
    assert tried == (["paypal", "card"] * 2)[:tries]


@pytest.mark.parametrize("planted", [False, True])
def test_no_other_method_is_tried_while_an_outcome_is_unknown(stage: Stage, falls_back: UUID, *, planted: bool) -> None:
    give(stage, falls_back, "B-SANDBOX-OTHER")
    give(stage, falls_back, "B-SANDBOX-GOOD")
    faults = stage.sides["paypal"].stand_in.faults
    faults.add([{"kind": "timeout_after", "rate": 1, "path": "/v2/checkout/orders"}])
    with pytest.raises(NotSettled):
        bill(stage, falls_back)
    if planted:
        # As a flow would that took the unknown for a decline: the open attempt still forbids another.
        with stage.parts.begin() as session:
            # The last wall behind the rule, so that the rule alone is shown.
            session.execute(text("DROP INDEX billing.uq_payment_open"))
            others = select(PaymentMethod.id).where(PaymentMethod.kind == "paypal", ~PaymentMethod.is_default)
            session.execute(
                text("UPDATE billing.invoice SET falls_back_to = :other, next_attempt_at = :now, extra_try = true"),
                {"other": session.scalars(others).one(), "now": START},
            )
    with suppress(NotSettled):
        sweep(stage, only_invoice(stage))
    assert [each.status for each in attempts(stage, only_invoice(stage))] == ["unknown"]
    faults.clear()
    stage.settle()
    assert (moved(stage), moved(stage, "stripe")) == ([1000], [])
