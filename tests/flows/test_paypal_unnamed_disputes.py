"""A dispute at PayPal that does not say of which payment it is: a person looks, and the others are compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import dispute_events, reconciliation, working
from billing.flows.order import Order
from billing.flows.rereading import STILL
from billing.flows.working import Action
from billing.models import Difference, Dispute, Reconciliation, WorkItem
from billing.sandbox.paypal import disputes
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.scenario.playing.stage import Stage
from tests.wallets import bill, give

WHY = Order(actor="mara", reason="another shop's")


@pytest.fixture
def unnamed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids of disputes whose transaction is not shown (any more)."""
    ids, whole = set[str](), disputes.shown

    def shown(dispute: Any) -> Any:
        told = whole(dispute)
        if dispute.id in ids:
            del told["disputed_transactions"][0]["seller_transaction_id"]
        return told

    monkeypatch.setattr(disputes, "shown", shown)
    return ids


def opened(stage: Stage, *, inquiry: bool = False) -> str:
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    made = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref, "inquiry": inquiry})
    return str(made["dispute_id"])


def compare(stage: Stage) -> list[tuple[str, str, int | None]]:
    """What stands open after one more day."""
    stage.set_clock(stage.now + timedelta(days=1))
    reconciliation.reconcile(stage.parts)
    with stage.parts.begin() as session:
        assert set(session.scalars(select(Reconciliation.status))) == {"done"}
        found = session.scalars(select(Difference).where(Difference.resolved_at.is_(None)))
        return [(each.kind, each.object_ref, each.amount_minor) for each in found]


def test_it_is_work_and_the_others_are_taken_over(stage: Stage, anna: UUID, unnamed: set[str]) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    theirs = opened(stage, inquiry=True)
    unnamed.add(theirs)
    ours = opened(stage)
    for _ in range(2):
        assert compare(stage) == [("dispute_without_record", theirs, 1000)]
    with stage.parts.begin() as session:
        assert session.scalars(select(Dispute.dispute_ref)).all() == [ours]
        item = session.scalars(select(WorkItem).where(WorkItem.kind == "dispute_without_record")).one()
        assert (item.seller_id, item.safe_actions) == (None, ["reread", "park", "discard"])
        assert theirs in (item.error or "")
    assert working.act(stage.parts, item.id, action=Action.REREAD, order=WHY).told == STILL
    working.act(stage.parts, item.id, action=Action.DISCARD, order=WHY)
    assert compare(stage) == []
    unnamed.clear()
    dispute_events.adopt_dispute(stage.parts, stage.sides["paypal"].account_id, theirs)


def test_one_of_ours_that_does_not_show_it_any_more_stops_no_comparison(
    stage: Stage, anna: UUID, unnamed: set[str]
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    ref, side = opened(stage), stage.sides["paypal"]
    dispute_events.adopt_dispute(stage.parts, side.account_id, ref)
    unnamed.add(ref)
    DOORS["POST", "disputes/<id>/close"](side.stand_in, ref, {"status": "lost"})
    assert compare(stage) == [("dispute_differs", ref, 1000)]
    unnamed.clear()
    assert compare(stage) == []
