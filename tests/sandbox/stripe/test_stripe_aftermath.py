"""Refunds and disputes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stripe.making import Receiver, World, refusal, until


def test_a_charge_is_refunded_in_parts_until_nothing_is_left(world: World) -> None:
    intent = world.pay()
    part = world.v1.refunds.create({"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge) == ("succeeded", 300, intent.latest_charge)
    assert world.v1.charges.retrieve(intent.latest_charge).amount_refunded == 300
    error = refusal(lambda: world.v1.refunds.create({"payment_intent": intent.id, "amount": 701}))
    assert (error.http_status, error.param) == (400, "amount")
    assert world.v1.refunds.create({"charge": intent.latest_charge}).amount == 700
    charge = world.v1.charges.retrieve(intent.latest_charge)
    assert (charge.refunded, charge.amount_refunded) == (True, 1000)
    error = refusal(lambda: world.v1.refunds.create({"charge": intent.latest_charge}))
    assert error.code == "charge_already_refunded"
    assert len(world.v1.refunds.list({"charge": intent.latest_charge}).data) == 2
    assert world.see("charges")[0]["amount_refunded"] == 1000
    booked = world.v1.balance_transactions.retrieve(part.balance_transaction)
    assert (booked.amount, booked.type, booked.source) == (-300, "refund", part.id)


def test_only_a_charge_that_succeeded_is_refunded(world: World) -> None:
    pending = world.pay("pm_sandbox_processing")
    assert refusal(lambda: world.v1.refunds.create({"payment_intent": pending.id})).http_status == 400
    assert refusal(lambda: world.v1.refunds.create({})).code == "parameter_missing"
    assert refusal(lambda: world.v1.refunds.create({"charge": "ch_none"})).code == "resource_missing"


def test_a_pending_refund_arrives_with_the_clock(world: World, receiver: Receiver) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    refund = world.v1.refunds.create({"payment_intent": world.pay("pm_card_pendingRefund").id})
    assert refund.status == "pending"
    world.tell("clock", {"now": "2026-01-02T00:00:00Z"})
    world.quiet()
    assert world.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert receiver.ids("refund.updated")


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_refund_ends_as_told(world: World, receiver: Receiver, status: str) -> None:
    world.tell("config", {"refunds_pending": True})
    intent = world.pay()
    refund = world.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "pending"
    assert world.tell(f"refunds/{refund.id}", {"status": status})["status"] == status
    charge = world.v1.charges.retrieve(intent.latest_charge)
    assert charge.amount_refunded == (1000 if status == "succeeded" else 0)
    world.quiet()
    assert receiver.ids("refund.updated" if status == "succeeded" else "refund.failed")


def test_a_refund_that_fails_later_gives_the_money_back(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    refund = world.v1.refunds.create({"payment_intent": world.pay("pm_card_refundFail").id})
    assert refund.status == "succeeded"
    world.tell("clock", {"now": "2026-01-02T00:00:00Z"})
    world.quiet()
    failed = world.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert failed.failure_balance_transaction.amount == 1000


@pytest.mark.parametrize(("card", "end"), [("pm_card_refundFail", "failed"), ("pm_card_pendingRefund", "succeeded")])
@pytest.mark.parametrize("how", ["by_hand", "by_its_moment"])
def test_a_refund_ends_once_by_its_moment_or_by_hand(
    world: World, receiver: Receiver, card: str, end: str, how: str
) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    refund = world.v1.refunds.create({"payment_intent": world.pay(card).id})
    if how == "by_hand":
        assert world.tell(f"refunds/{refund.id}", {"status": end})["status"] == end
    world.tell("clock", {"now": "2026-01-01T23:59:59Z"})
    world.quiet()
    assert world.v1.refunds.retrieve(refund.id).status == (end if how == "by_hand" else refund.status)
    world.tell("clock", {"now": "2026-01-05T00:00:00Z"})
    world.quiet()
    assert world.v1.refunds.retrieve(refund.id).status == end
    assert world.tell(f"refunds/{refund.id}", {"status": end})["status"] == end
    world.quiet()
    of_its_end = [*receiver.events("refund.failed"), *receiver.events("refund.updated")]
    assert [each.data.object.status for each in of_its_end] == [end]
    assert len(receiver.ids("charge.refund.updated")) == 1
    charge = world.v1.charges.retrieve(refund.charge)
    assert charge.amount_refunded == (0 if end == "failed" else 1000)


def open_dispute(world: World, **more: Any) -> Any:
    intent = world.pay()
    return intent, world.tell("disputes", {"charge": intent.latest_charge, **more})


def test_a_dispute_takes_the_money_and_bars_refunds(world: World, receiver: Receiver) -> None:
    intent, dispute = open_dispute(world)
    assert (dispute["status"], dispute["amount"]) == ("needs_response", 1000)
    (withdrawn,) = dispute["balance_transactions"]
    assert (withdrawn["amount"], withdrawn["fee"], withdrawn["net"]) == (-1000, 1500, -2500)
    error = refusal(lambda: world.v1.refunds.create({"payment_intent": intent.id}))
    assert error.code == "charge_disputed"
    assert world.v1.charges.retrieve(intent.latest_charge).disputed
    world.quiet()
    assert receiver.ids("charge.dispute.created")
    assert receiver.ids("charge.dispute.funds_withdrawn")
    assert world.v1.disputes.list({"charge": intent.latest_charge}).data[0].id == dispute["id"]


def test_a_dispute_won_gives_the_amount_back_and_one_lost_does_not(world: World, receiver: Receiver) -> None:
    _, dispute = open_dispute(world, amount=400)
    won = world.tell(f"disputes/{dispute['id']}/close", {"status": "won"})
    assert [each["amount"] for each in won["balance_transactions"]] == [-400, 400]
    _, other = open_dispute(world)
    lost = world.tell(f"disputes/{other['id']}/close", {"status": "lost"})
    assert [each["amount"] for each in lost["balance_transactions"]] == [-1000]
    world.quiet()
    closed = receiver.events("charge.dispute.closed")
    assert {event.data.object.status for event in closed} == {"won", "lost"}
    again = world.ask("POST", f"/_sandbox/disputes/{dispute['id']}/close", json={"status": "lost"})
    assert again.status_code == 400


def test_an_inquiry_moves_no_money(world: World) -> None:
    intent, inquiry = open_dispute(world, inquiry=True)
    assert (inquiry["status"], inquiry["balance_transactions"]) == ("warning_needs_response", [])
    assert world.tell(f"disputes/{inquiry['id']}/close", {"status": "warning_closed"})["status"] == "warning_closed"
    assert world.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_evidence_is_handed_in_and_giving_in_loses(world: World) -> None:
    _, dispute = open_dispute(world)
    evidence = {"evidence": {"product_description": "a thing"}, "submit": True}
    unknown = world.ask("POST", f"/v1/disputes/{dispute['id']}", data={"evidence[tears]": "many"})
    assert unknown.json()["error"]["param"] == "evidence[tears]"
    assert world.v1.disputes.update(dispute["id"], evidence).status == "under_review"
    assert world.v1.disputes.close(dispute["id"]).status == "lost"


def test_a_test_card_disputes_by_itself(world: World) -> None:
    world.pay("pm_card_createDispute")
    dispute = until(lambda: world.v1.disputes.list().data)[0]
    assert dispute.reason == "fraudulent"


def test_an_inquiry_may_become_a_chargeback(world: World, receiver: Receiver) -> None:
    intent, inquiry = open_dispute(world, inquiry=True)
    taken = world.tell(f"disputes/{inquiry['id']}/escalate", {})
    assert (taken["status"], [each["amount"] for each in taken["balance_transactions"]]) == ("needs_response", [-1000])
    assert refusal(lambda: world.v1.refunds.create({"payment_intent": intent.id})).code == "charge_disputed"
    world.quiet()
    assert receiver.ids("charge.dispute.updated")
    assert receiver.ids("charge.dispute.funds_withdrawn")


def test_a_dispute_in_the_cardholders_currency_takes_all_of_the_charge_in_ours(world: World) -> None:
    _, dispute = open_dispute(world, amount=1100, currency="usd")
    (withdrawn,) = dispute["balance_transactions"]
    assert (dispute["amount"], dispute["currency"]) == (1100, "usd")
    assert (withdrawn["amount"], withdrawn["currency"]) == (-1000, "eur")


def test_an_issuer_may_give_in_after_it_has_won(world: World) -> None:
    _, dispute = open_dispute(world)
    world.tell(f"disputes/{dispute['id']}/close", {"status": "lost"})
    won = world.tell(f"disputes/{dispute['id']}/close", {"status": "won"})
    assert [each["amount"] for each in won["balance_transactions"]] == [-1000, 1000]
    assert world.see("disputes")[0]["status"] == "won"


def test_an_early_warning_asks_for_nothing_once_the_charge_is_refunded(world: World, receiver: Receiver) -> None:
    charge = world.pay().latest_charge
    warning = world.tell("early_fraud_warnings", {"charge": charge})
    assert world.v1.radar.early_fraud_warnings.retrieve(warning["id"]).actionable
    world.v1.refunds.create({"charge": charge})
    assert not world.v1.radar.early_fraud_warnings.list({"charge": charge}).data[0].actionable
    world.quiet()
    assert receiver.ids("radar.early_fraud_warning.created")
    assert receiver.ids("radar.early_fraud_warning.updated")
    assert world.see("refunds")[0]["charge"] == charge


def test_a_response_that_the_bank_rejects_is_appealed_and_decided_on(world: World, receiver: Receiver) -> None:
    dispute = world.tell("disputes", {"charge": world.pay().latest_charge})
    assert world.tell(f"disputes/{dispute['id']}/reject", {})["status"] == "appeal_needs_response"
    assert world.v1.disputes.update(dispute["id"], {"submit": True}).status == "appeal_under_review"
    assert world.tell(f"disputes/{dispute['id']}/close", {"status": "lost"})["status"] == "lost"
    world.quiet()
    assert len(receiver.ids("charge.dispute.updated")) == 2


@pytest.mark.parametrize(("case", "moved"), [("block", 0), ("resolution", 1)])
def test_a_prevented_dispute_is_over_as_it_begins(world: World, receiver: Receiver, case: str, moved: int) -> None:
    dispute = world.tell("disputes", {"charge": world.pay().latest_charge, "prevented": case})
    assert (dispute["status"], dispute["payment_method_details"]["card"]["case_type"]) == ("prevented", case)
    assert len(dispute["balance_transactions"]) == moved
    world.quiet()
    assert receiver.ids("charge.dispute.closed")
