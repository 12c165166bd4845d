"""A refund that the provider takes no more of so old a payment waits for a person, not for another hour."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import refunding, working
from billing.flows.order import Order
from billing.models import Refund, WorkItem
from billing.sandbox.scenario.playing.stage import Stage
from tests.wallets import START, bill, give, status_of


@pytest.mark.parametrize(
    ("provider", "method", "word"),
    [
        ("paypal", "B-SANDBOX-GOOD", "refund_time_limit_exceeded"),
        ("stripe", "pm_sandbox_paypal", "charge_not_refundable"),
    ],
)
def test_what_comes_too_late_has_failed_and_is_paid_another_way(
    stage: Stage, anna: UUID, provider: str, method: str, word: str
) -> None:
    give(stage, anna, method, provider=provider)
    invoice = bill(stage, anna)
    assert status_of(stage, invoice) == "paid"
    stage.set_clock(START + timedelta(days=181))
    refunding.refund(stage.parts, invoice, amount_minor=400)
    stage.settle()
    with stage.parts.begin() as session:
        made = session.scalars(select(Refund)).one()
        (item,) = session.scalars(select(WorkItem).filter_by(status="open")).all()
    assert (made.status, made.reason, item.kind, item.error) == ("failed", word, "refund_failed", word)
    working.act(stage.parts, item.id, action=working.Action.PAID, order=Order(actor="op", reason="transfer 17"))
    with stage.parts.begin() as session:
        assert session.scalars(select(WorkItem).filter_by(status="open")).all() == []
