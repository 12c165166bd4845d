"""Money of another amount, which PayPal took under an invoice's name, locks that name there for good, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows import audit, resolution, working
from billing.flows.order import Order
from billing.models import PaymentIntent, UnappliedPayment, WorkItem
from billing.providers.paypal.sent import told
from billing.sandbox.scenario.playing.stage import NotSettled, Stage
from tests.stages import staged
from tests.wallets import START, attempts, bill, give, moved, only_invoice, status_of, sweep


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """As everywhere; but that PayPal took another amount than it was asked for is found, and nothing else."""
    with staged(database_url, now=START) as made:
        made.account("paypal")
        yield made
        assert list(told(made.sides["paypal"].witness.requests())) == []
        assert {each.code for each in audit.run(made.parts, witness=made.witness).violations} == {"P6"}


WHY = Order(actor="op", reason="paid by mistake")


def another_amount(stage: Stage, anna: UUID) -> UUID:
    """PayPal captured 7 EUR of the 10, and its answer was lost; what came is kept apart. Returns the invoice."""
    give(stage, anna, "B-SANDBOX-GOOD")
    side = stage.sides["paypal"]
    side.stand_in.faults.add([{"kind": "timeout_after", "rate": 1, "path": "/v2/checkout/orders"}])
    with pytest.raises(NotSettled):
        bill(stage, anna)
    side.stand_in.faults.clear()
    with side.stand_in.store.transaction() as tx:
        (capture,) = tx.walk("charge")
        capture.body["amount"] = 700
        tx.save(capture)
        tx.sql("update objects set body = json_set(body, '$.amount', 700) where kind = ?", ("balance_transaction",))
    stage.set_clock(START + timedelta(hours=13))
    with stage.parts.begin() as session:
        session.execute(text("DELETE FROM billing.provider_rate"))
    stage.parts.permits.clear()
    resolution.resolve(stage.parts)
    invoice = only_invoice(stage)
    with stage.parts.begin() as session:
        assert session.scalars(select(PaymentIntent.status)).all() == ["spent"]
        assert session.scalars(select(UnappliedPayment.amount_minor)).all() == [700]
    return invoice


def deal_with_it(stage: Stage, action: working.Action) -> None:
    with stage.parts.begin() as session:
        item = session.scalars(select(WorkItem.id).filter_by(kind="payment_unapplied")).one()
    working.act(stage.parts, item, action=action, order=WHY)
    stage.settle()


@pytest.mark.parametrize("action", [working.Action.REFUND, working.Action.PAID])
def test_once_it_is_dealt_with_the_invoice_is_charged_under_a_name_that_paypal_takes(
    stage: Stage, anna: UUID, action: working.Action
) -> None:
    invoice = another_amount(stage, anna)
    deal_with_it(stage, action)
    sweep(stage, invoice)
    assert status_of(stage, invoice) == "paid"
    first, second = attempts(stage, invoice)
    assert (first.status, second.status, second.spent_before) == ("canceled", "succeeded", 1)
    assert sorted(moved(stage)) == [700, 1000]
