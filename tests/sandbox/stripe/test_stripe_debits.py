"""Bank accounts at the stand-in: days until anybody knows, mandates, money taken back without a question."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stripe.making import Receiver, World, refusal

DEBIT: dict[str, Any] = {"allowed_payment_method_types": ["sepa_debit"]}


def test_a_debit_is_under_way_for_days_and_then_succeeds(world: World, receiver: Receiver) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    intent = world.pay("pm_sandbox_sepa", **DEBIT)
    assert intent.status == "processing"
    charge = world.v1.charges.retrieve(intent.latest_charge)
    assert charge.id.startswith("py_")
    details = charge.payment_method_details.sepa_debit
    assert (charge.status, details.last4, details.expected_debit_date) == ("pending", "3201", "2026-01-03")
    assert world.v1.mandates.retrieve(details.mandate).status == "active"
    world.tell("clock", {"now": "2026-01-05T23:59:59Z"})
    world.quiet()
    assert world.v1.payment_intents.retrieve(intent.id).status == "processing"
    world.tell("clock", {"now": "2026-01-06T00:00:00Z"})
    world.quiet()
    assert world.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert receiver.ids("charge.pending")
    assert receiver.ids("charge.succeeded")


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("pm_sandbox_sepa_insufficientFunds", "insufficient_funds"),
        ("pm_sandbox_sepa_accountClosed", "account_closed"),
        ("pm_sandbox_sepa_debitNotAuthorized", "debit_not_authorized"),
        ("pm_sandbox_sepa_bankAccountRestricted", "bank_account_restricted"),
    ],
)
def test_a_debit_fails_days_later_with_the_banks_reason(
    world: World, receiver: Receiver, method: str, code: str
) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    intent = world.pay(method, **DEBIT)
    world.tell("clock", {"now": "2026-01-06T00:00:00Z"})
    world.quiet()
    after = world.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (after.status, after.last_payment_error.code) == ("requires_payment_method", code)
    assert (after.latest_charge.status, after.latest_charge.failure_code) == ("failed", code)
    assert receiver.ids("payment_intent.payment_failed")
    assert receiver.ids("charge.failed")


def test_an_intent_takes_the_types_that_it_was_told_last(world: World) -> None:
    order = world.order("pm_card_visa_chargeDeclinedInsufficientFunds")
    refused = refusal(lambda: world.v1.payment_intents.create(order), Exception)
    intent = refused.error.payment_intent["id"]
    account = world.v1.payment_methods.attach("pm_sandbox_sepa", {"customer": order["customer"]}).id
    confirm = {"payment_method": account, "off_session": True}
    error = refusal(lambda: world.v1.payment_intents.confirm(intent, confirm))
    assert error.code == "payment_intent_incompatible_payment_method"
    assert world.v1.payment_intents.confirm(intent, {**confirm, **DEBIT}).status == "processing"


def test_a_bank_account_is_debited_in_euro_alone(world: World) -> None:
    error = refusal(lambda: world.pay("pm_sandbox_sepa", currency="usd", **DEBIT))
    assert error.code == "payment_intent_incompatible_payment_method"


def test_without_its_mandate_an_account_is_not_debited(world: World, receiver: Receiver) -> None:
    order = world.order("pm_sandbox_sepa", **DEBIT)
    ended = world.tell("mandates", {"payment_method": order["payment_method"]})
    assert ended["status"] == "inactive"
    error = refusal(lambda: world.v1.payment_intents.create(order))
    assert error.code == "payment_intent_mandate_invalid"
    world.quiet()
    assert receiver.ids("mandate.updated")


def test_a_set_up_makes_the_mandate(world: World) -> None:
    customer, _ = world.customer()
    setup = world.v1.setup_intents.create({"customer": customer, "usage": "off_session", **DEBIT})
    card = refusal(lambda: world.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"}))
    assert card.param == "payment_method"
    done = world.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_sandbox_sepa_de"})
    assert done.status == "succeeded"
    mandate = world.v1.mandates.retrieve(done.mandate)
    assert (mandate.status, mandate.payment_method) == ("active", done.payment_method)
    assert mandate.payment_method_details.sepa_debit.reference
    assert world.v1.setup_intents.retrieve(done.id, {"expand": ["mandate"]}).mandate.id == mandate.id


def test_money_that_is_taken_back_is_a_dispute_that_is_lost_as_it_begins(world: World, receiver: Receiver) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    intent = world.pay("pm_sandbox_sepa_returnedLater", **DEBIT)
    for now in ("2026-01-06T00:00:00Z", "2026-01-13T00:00:00Z"):
        world.tell("clock", {"now": now})
        world.quiet()
    (dispute,) = world.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.is_charge_refundable) == ("lost", False)
    assert [move.amount for move in dispute.balance_transactions] == [-1000]
    for type_ in ("created", "funds_withdrawn", "closed"):
        assert receiver.ids(f"charge.dispute.{type_}")


def test_a_debit_is_refunded_within_180_days(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    intent = world.pay("pm_sandbox_sepa", **DEBIT)
    world.tell("clock", {"now": "2026-01-06T00:00:00Z"})
    world.quiet()
    assert world.v1.refunds.create({"payment_intent": intent.id, "amount": 400}).id.startswith("pyr_")
    world.tell("clock", {"now": "2026-07-01T00:00:00Z"})
    assert refusal(lambda: world.v1.refunds.create({"payment_intent": intent.id})).code == "charge_not_refundable"


@pytest.mark.parametrize("method", ["pm_sandbox_sepa", "pm_sandbox_sepa_accountClosed"])
def test_a_debit_stands_in_the_balance_from_its_beginning_and_one_that_fails_goes_out_again(
    world: World, method: str
) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    intent = world.pay(method, **DEBIT)
    charge = world.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    promised = charge.balance_transaction
    assert (promised.type, promised.reporting_category, promised.status) == ("payment", "charge", "pending")
    assert (promised.amount, promised.source) == (intent.amount, charge.id)
    assert world.tell("payouts", {}) == [], "no payout holds what no bank has paid yet"
    world.tell("clock", {"now": "2026-01-06T00:00:00Z"})
    world.quiet()
    charge = world.v1.charges.retrieve(charge.id, {"expand": ["failure_balance_transaction"]})
    assert charge.balance_transaction == promised.id
    back = charge.failure_balance_transaction
    assert (charge.status == "failed") == (back is not None) == (method != "pm_sandbox_sepa")
    if back is not None:
        assert (back.type, back.reporting_category) == ("payment_failure_refund", "charge_failure")
        assert (back.amount, back.source) == (-intent.amount, charge.id)
    else:
        assert [each["amount"] for each in world.tell("payouts", {})] == [promised.net]
        refund = world.v1.refunds.create({"charge": charge.id, "expand": ["balance_transaction"]})
        assert (refund.balance_transaction.type, refund.id[:4]) == ("payment_refund", "pyr_")
