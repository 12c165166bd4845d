"""Disputes at PayPal: inquiries, claims and chargebacks, and several of one capture."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.dispute.record import note_dispute
from billing.flows import (
    audit,
    dispute_events,
    disputing,
)
from billing.flows.order import Order
from billing.models import (
    Dispute,
    Invoice,
)
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.scenario.playing.stage import Stage
from tests.wallets import START, bill, give, status_of


def test_an_inquiry_that_the_buyer_wins_takes_the_money_and_one_reversed_later_gives_it_back(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref, "inquiry": True})
    for end, back in (("lost", 0), ("won", 1000)):
        DOORS["POST", "disputes/<id>/close"](side.stand_in, opened["dispute_id"], {"status": end})
        dispute_events.adopt_dispute(stage.parts, side.account_id, opened["dispute_id"])
        with stage.parts.begin() as session:
            row = session.scalars(select(Dispute)).one()
            assert (row.status, row.withdrawn_minor, row.reinstated_minor) == (end, 1000, back)
            assert row.reopened_minor == 1000 - back


def _lost_twice(stage: Stage, anna: UUID) -> UUID:
    """A claim and a chargeback take one capture's money, each of them. Returns the invoice."""
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    for _ in range(2):
        ref = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})["dispute_id"]
        DOORS["POST", "disputes/<id>/close"](side.stand_in, ref, {"status": "lost"})
        dispute_events.adopt_dispute(stage.parts, side.account_id, ref)
    return invoice


def test_a_claim_and_a_chargeback_of_one_capture_open_its_debt_once(stage: Stage, anna: UUID) -> None:
    invoice = _lost_twice(stage, anna)
    with stage.parts.begin() as session:
        first, second = session.scalars(select(Dispute).order_by(Dispute.id)).all()
        assert [(each.withdrawn_minor, each.reopened_minor, each.decision) for each in (first, second)] == [
            (1000, 1000, None),
            (1000, 0, "write_off"),
        ]
        told = text("SELECT account, sum(amount_minor) FROM billing.posting GROUP BY account")
        books = {account: int(amount) for account, amount in session.execute(told)}
    assert (books["receivable"], books["write_off"], books["provider_clearing"]) == (1000, 1000, -1000)
    made = disputing.credit_loss(stage.parts, first.id, order=Order(actor="mara", reason="the bank's letter"))
    assert (made.amount_minor, made.given_up_minor) == (1000, 0)
    assert [each.code for each in audit.run(stage.parts).violations] == []
    assert status_of(stage, invoice) == "paid"


@pytest.mark.parametrize("mixed", [False, True])
def test_a_claim_and_a_chargeback_of_one_capture_are_both_won_after_all(
    stage: Stage, anna: UUID, *, mixed: bool
) -> None:
    _lost_twice(stage, anna)
    side = stage.sides["paypal"]
    with stage.parts.begin() as session:
        for row in session.scalars(select(Dispute).order_by(Dispute.id)).all():
            shown = stage.parts.provider(side.account_id).read_dispute(row.dispute_ref)
            facts = replace(shown, due_by=None, status="won", reinstated_minor=1000, mixed=mixed)
            invoice = session.get_one(Invoice, row.invoice_id)
            note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=START)
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        told = text("SELECT account, sum(amount_minor) FROM billing.posting GROUP BY 1 HAVING sum(amount_minor) <> 0")
        books = {account: int(amount) for account, amount in session.execute(told)}
        assert books == {"provider_clearing": 1000, "deferred_revenue": -1000}
        session.rollback()
