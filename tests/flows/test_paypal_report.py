"""PayPal's report of transactions: fees, what was held for days, what it takes back, and how far it goes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.reconciliation.run import begin_run
from billing.flows import (
    dispute_events,
    movements,
    reconciliation,
    refund_events,
    refunding,
    resolution,
)
from billing.kernel.errors import ProviderUnavailable
from billing.models import (
    Difference,
    Dispute,
    ProviderAccount,
    ProviderMovement,
    Reconciliation,
)
from billing.providers.paypal.adapter import PayPalProvider
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.scenario.playing.stage import NotSettled, Stage
from billing.sandbox.stripe.background import run_due
from tests.wallets import START, bill, give, moved, status_of


def test_reconciling_finds_no_difference_and_reads_the_fees(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    refunding.refund(stage.parts, invoice, amount_minor=400)
    stage.settle()
    stage.set_clock(START + timedelta(days=2))
    (paypal,) = (each for each in reconciliation.reconcile(stage.parts) if each.account == "paypal default")
    with stage.parts.begin() as session:
        assert [(each.kind, each.detail) for each in session.scalars(select(Difference))] == []
    assert (paypal.charges, paypal.refunds, paypal.differences, paypal.done) == (1, 1, 0, True)


@pytest.fixture
def in_wide_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Years of two accounts are compared in a few windows."""
    monkeypatch.setattr(reconciliation, "PACE", replace(reconciliation.PACE, wide=timedelta(days=365)))


def test_a_comparison_begins_where_the_report_does(stage: Stage, anna: UUID, in_wide_windows: None) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    stage.set_clock(START + timedelta(days=2))
    compared = reconciliation.reconcile(stage.parts, since=START - timedelta(days=1500))
    (paypal,) = (each for each in compared if each.account == "paypal default")
    assert (paypal.charges, paypal.differences, paypal.done) == (1, 0, True)
    assert paypal.from_at == START + timedelta(days=2) - timedelta(days=3 * 365 - 1)


def _compare_to_the_end(stage: Stage) -> None:
    reconciliation.reconcile(stage.parts)
    with stage.parts.begin() as session:
        assert set(session.scalars(select(Reconciliation.status))) == {"done"}


def test_a_comparison_that_waited_for_days_goes_on_where_the_report_begins_by_then(
    stage: Stage, anna: UUID, in_wide_windows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    stage.set_clock(START + timedelta(days=2))

    def away(*_: object, **__: object) -> None:
        raise ProviderUnavailable("it is away")

    with monkeypatch.context() as outage:
        outage.setattr(PayPalProvider, "charge_pages", away)
        with pytest.raises(ProviderUnavailable):
            reconciliation.reconcile(stage.parts, since=START - timedelta(days=1500))
    stage.set_clock(START + timedelta(days=5))
    _compare_to_the_end(stage)


def test_a_comparison_of_what_the_report_no_longer_goes_back_to_is_over(
    stage: Stage, anna: UUID, in_wide_windows: None
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    at = START - timedelta(days=1500)
    with stage.parts.begin() as session:
        account = session.scalars(select(ProviderAccount.id).where(ProviderAccount.provider == "paypal")).one()
        begin_run(session, account_id=account, cause="ordered", from_at=at, to_at=at + timedelta(seconds=1))
    _compare_to_the_end(stage)


def test_fees_are_booked_though_the_report_is_later_than_it_promises(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    side.stand_in.configure({"search_lag_s": 30 * 3600})
    stage.set_clock(START + timedelta(hours=29))
    with pytest.raises(ProviderUnavailable):
        movements.read(stage.parts, side.account_id)
    side.stand_in.configure({"search_lag_s": 3600})
    movements.read(stage.parts, side.account_id)
    assert _fees(stage) == 65


def test_the_fee_of_a_payment_that_was_held_for_days_is_booked(stage: Stage, anna: UUID) -> None:
    """The report shows it at the day it was begun, long since read, once it moves the balance."""
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400, "search_lag_s": 3 * 3600})
    invoice = bill(stage, anna)
    for hours in (5, 30, 60, 145, 149, 153):
        stage.set_clock(START + timedelta(hours=hours))
        run_due(side.stand_in, early=True)
        resolution.resolve(stage.parts)
        movements.sweep(stage.parts)
    assert (status_of(stage, invoice), moved(stage), _fees(stage)) == ("paid", [1000], 65)


def test_the_hours_of_several_that_were_held_are_read_once(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400})
    for hours in (4, 5, 14):
        stage.set_clock(START + timedelta(hours=hours))
        bill(stage, anna)
    assert _windows_read(stage, at=START + timedelta(hours=30)) == ["01-15T03:00 to 01-16T06:00"]
    told = _windows_read(stage, at=START + timedelta(days=6, hours=16))
    assert told == ["01-16T02:00 to 01-21T16:00", "01-15T03:55 to 01-15T10:05", "01-15T13:55 to 01-15T19:05"]


def test_what_is_never_listed_lets_the_others_have_their_turn(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movements, "_HELD_MOST", 1)
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400})
    for hours in (4, 14, 24):
        stage.set_clock(START + timedelta(hours=hours))
        bill(stage, anna)
    _windows_read(stage, at=START + timedelta(days=7))
    with stage.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.payment SET charge_ref = 'unlisted-' || charge_ref"))
    told = [_windows_read(stage, at=START + timedelta(days=7, hours=2 * turn))[-1] for turn in range(1, 4)]
    assert sorted(told) == [
        "01-15T03:55 to 01-15T09:05", "01-15T13:55 to 01-15T19:05", "01-15T23:55 to 01-16T05:05",
    ]  # fmt: skip
    with stage.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.payment SET charge_ref = replace(charge_ref, 'unlisted-', '')"))


def _windows_read(stage: Stage, *, at: datetime) -> list[str]:
    """What of the report is read for the balance."""
    side = stage.sides["paypal"]
    stage.set_clock(at)
    run_due(side.stand_in, early=True)
    resolution.resolve(stage.parts)
    before = sum(1 for _ in side.witness.requests())
    movements.sweep(stage.parts)
    asked = [
        each.params for each in list(side.witness.requests())[before:] if each.path == "/v1/reporting/transactions"
    ]
    return [f"{each['start_date'][5:16]} to {each['end_date'][5:16]}" for each in asked if each["page_size"] != "1"]


def test_a_refund_that_was_pending_for_days_is_among_the_movements(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    side = stage.sides["paypal"]
    invoice = bill(stage, anna)
    side.stand_in.configure({"refunds_pending": True, "search_lag_s": 3 * 3600})
    refunding.refund(stage.parts, invoice, amount_minor=400)
    with pytest.raises(NotSettled):
        stage.settle()
    (made,) = side.witness.refunds()
    for hours in (5, 30, 60):
        stage.set_clock(START + timedelta(hours=hours))
        movements.sweep(stage.parts)
    DOORS["POST", "refunds/<id>"](side.stand_in, made.refund_ref, {"status": "succeeded"})
    refund_events.reread_refund(stage.parts, side.account_id, made.refund_ref)
    for hours in (61, 65, 69):
        stage.set_clock(START + timedelta(hours=hours))
        movements.sweep(stage.parts)
    with stage.parts.begin() as session:
        told = select(ProviderMovement.type, ProviderMovement.amount_minor).order_by(ProviderMovement.amount_minor)
        assert [tuple(row) for row in session.execute(told)] == [("refund", -400), ("charge", 1000)]


def _fees(stage: Stage) -> int:
    with stage.parts.begin() as session:
        told = text("SELECT coalesce(sum(amount_minor), 0) FROM billing.posting WHERE account = 'provider_fees'")
        return int(session.scalar(told))


def test_what_paypal_takes_back_by_itself_becomes_work(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    DOORS["POST", "captures/<id>/reverse"](side.stand_in, charge.charge_ref, {})
    assert _differences(stage) == [("refund_without_record", invoice, 1000)]


def test_what_a_lost_dispute_took_is_told_once(stage: Stage, anna: UUID) -> None:
    """Where PayPal ends a claim by taking the payment back, its report shows that as a reversal."""
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})
    dispute_events.adopt_dispute(stage.parts, side.account_id, opened["dispute_id"])
    DOORS["POST", "captures/<id>/reverse"](side.stand_in, charge.charge_ref, {})
    assert _differences(stage) == []


def test_a_lost_dispute_that_is_won_unheard_after_weeks_is_learnt_by_the_report(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})["dispute_id"]
    DOORS["POST", "disputes/<id>/close"](side.stand_in, opened, {"status": "lost"})
    dispute_events.adopt_dispute(stage.parts, side.account_id, opened)
    assert _differences(stage) == []
    stage.set_clock(START + timedelta(days=20))
    side.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    DOORS["POST", "disputes/<id>/close"](side.stand_in, opened, {"status": "won"})
    stage.set_clock(START + timedelta(days=21))
    with stage.parts.begin() as session:
        account = session.get_one(ProviderAccount, side.account_id)
        begin_run(session, account_id=account.id, cause="daily", from_at=START + timedelta(days=19), to_at=stage.now)
    reconciliation.tick(stage.parts)
    with stage.parts.begin() as session:
        assert session.execute(select(Dispute.status, Dispute.reinstated_minor)).one() == ("won", 1000)


def _differences(stage: Stage) -> list[tuple[str, UUID | None, int | None]]:
    """What a comparison two days later finds."""
    stage.set_clock(START + timedelta(days=2))
    reconciliation.reconcile(stage.parts)
    with stage.parts.begin() as session:
        found = session.scalars(select(Difference).where(Difference.resolved_at.is_(None)))
        return [(each.kind, each.invoice_id, each.amount_minor) for each in found]


def test_a_comparison_goes_further_back_than_paypal_lists_disputes(
    stage: Stage, anna: UUID, in_wide_windows: None
) -> None:
    """It lists those of 180 days. A run that can't be done would keep the account's daily one from it for good."""
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    stage.set_clock(START + timedelta(days=300))
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})
    stage.set_clock(START + timedelta(days=400))
    found = reconciliation.reconcile(stage.parts, since=START - timedelta(days=1))
    (paypal,) = (each for each in found if each.account == "paypal default")
    assert (paypal.charges, paypal.done) == (1, True)
    with stage.parts.begin() as session:
        assert session.scalars(select(Dispute.dispute_ref)).all() == [opened["dispute_id"]]


def test_a_month_of_more_than_paypal_lists_is_read_in_narrower_windows(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    for day in range(4):
        stage.set_clock(START + timedelta(days=day, hours=day))
        bill(stage, anna)
    stage.sides["paypal"].stand_in.configure({"report_most": 1})
    stage.set_clock(START + timedelta(days=9))
    provider = stage.parts.provider(stage.sides["paypal"].account_id)
    pages = provider.charge_pages(created_from=START, created_to=stage.now)
    charges = {each.charge_ref for each in stage.sides["paypal"].witness.charges()}
    assert [len(page) for page in pages] == [4]
    assert {each.charge_ref for each in provider.newest_charges(now=stage.now)} < charges
    (paypal,) = (each for each in reconciliation.reconcile(stage.parts) if each.account == "paypal default")
    assert (paypal.charges, paypal.differences, paypal.done) == (4, 0, True)
