"""What PayPal keeps: everybody who looks is told why, and whoever must act at PayPal is told so at once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import resolution
from billing.models import WorkItem
from billing.queries.api.disputes import the_payment
from billing.queries.operations.payments import show_payment
from billing.rules.held import held
from billing.sandbox.scenario.playing.stage import Stage
from billing.sandbox.stripe.background import run_due
from tests.wallets import START, attempts, bill, give, moved, status_of


def work(stage: Stage) -> list[WorkItem]:
    with stage.parts.begin() as session:
        return list(session.scalars(select(WorkItem).filter_by(status="open")))


def shown(stage: Stage, payment_id: UUID) -> str | None:
    """By the command line and the console, and by the API: the same."""
    with stage.parts.begin() as session:
        facts = show_payment(session, payment_id)
        seller = attempts(stage, facts["invoice_id"])[0].seller_id
        told = the_payment(session, seller, payment_id)
    assert told is not None
    assert told["waits_for"] == facts["waits_for"]
    waits: str | None = facts["waits_for"]
    return waits


def test_what_the_seller_must_accept_by_hand_is_work_at_once_and_says_where(stage: Stage, anna: UUID) -> None:
    """After some weeks PayPal gives it back to the payer: three weeks of waiting were most of them."""
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400})
    give(stage, anna, "B-SANDBOX-BYHAND")
    invoice = bill(stage, anna)
    (tried,) = attempts(stage, invoice)
    assert (tried.status, tried.reason) == ("processing", "held_receiving_preference_mandates_manual_action")
    (item,) = work(stage)
    assert (item.kind, item.error) == ("payment_unknown", tried.reason)
    assert "Accept or deny it in PayPal" in item.summary
    assert "Accept or deny it in PayPal" in (shown(stage, tried.id) or "")
    stage.set_clock(START + timedelta(days=7))
    run_due(side.stand_in, early=True)
    resolution.resolve(stage.parts)
    assert (status_of(stage, invoice), moved(stage), work(stage)) == ("paid", [1000], [])
    assert shown(stage, tried.id) is None


def test_what_paypal_looks_at_itself_is_told_and_nobodys_work_before_three_weeks(stage: Stage, anna: UUID) -> None:
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 40 * 86_400})
    give(stage, anna, "B-SANDBOX-PENDING")
    (tried,) = attempts(stage, bill(stage, anna))
    assert (tried.status, tried.reason, work(stage)) == ("processing", "held_pending_review", [])
    assert "PayPal looks at it by hand" in (shown(stage, tried.id) or "")
    stage.set_clock(START + timedelta(days=22))
    resolution.resolve(stage.parts)
    (item,) = work(stage)
    assert "is open since 2026-01-15" in item.summary
    assert "PayPal looks at it by hand" in item.summary
    stage.set_clock(START + timedelta(days=41))
    run_due(side.stand_in, early=True)
    resolution.resolve(stage.parts)


@pytest.mark.parametrize("reason", ["held_other", "held_word_of_next_year"])
def test_a_reason_that_nobody_knows_sends_people_to_paypal(reason: str) -> None:
    known = held(reason)
    assert known is not None
    assert "Look at it in PayPal" in known.says
    assert (held("charge_is_pending"), held(None)) == (None, None)
