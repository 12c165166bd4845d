"""An account whose balance is in another currency than it charges: each movement at the rate of its own day."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stripe.making import World, refusal


def _at(world: World, rate: float, *, currency: str = "usd", into: str = "eur") -> None:
    world.tell("config", {"settlement": {into: {currency: rate}}, "async_capture": False})


def _paid(world: World, **given: Any) -> Any:
    """The charge, as it is, and what it brought to the balance."""
    intent = world.pay(**{"currency": "usd", **given})
    charge = world.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    return charge, charge.balance_transaction


def _shown(moved: Any) -> tuple[int, int, int, str, float | None]:
    return moved.amount, moved.fee, moved.net, moved.currency, moved.exchange_rate


def test_a_charge_comes_to_the_balance_in_the_currency_that_it_settles_in(world: World) -> None:
    _at(world, 0.925)
    charge, moved = _paid(world, amount=1000)
    assert (charge.amount, charge.currency) == (1000, "usd")
    assert _shown(moved) == (925, 57, 868, "eur", 0.925)
    assert _shown(_paid(world, currency="eur", amount=1000)[1]) == (1000, 59, 941, "eur", None)


@pytest.mark.parametrize(
    ("charged", "rate", "moved"),
    [
        ((1999, "jpy"), 0.0061, (1219, "eur")),
        ((1190, "eur"), 163.91, (1951, "jpy")),
        ((1230, "kwd"), 3.0, (369, "eur")),
    ],
)
def test_a_rate_is_of_main_units_whatever_their_smallest_are(
    world: World, charged: tuple[int, str], rate: float, moved: tuple[int, str]
) -> None:
    (amount, currency), (came, into) = charged, moved
    _at(world, rate, currency=currency, into=into)
    assert _paid(world, currency=currency, amount=amount)[1].amount == came


def test_refunds_and_disputes_go_by_the_rate_of_their_own_day(world: World) -> None:
    _at(world, 0.90)
    charge, _ = _paid(world, amount=1000)
    _at(world, 0.95)
    given = {"charge": charge.id, "amount": 400, "expand": ["balance_transaction"]}
    refund = world.v1.refunds.create(given)
    assert (refund.amount, refund.currency) == (400, "usd")
    assert _shown(refund.balance_transaction) == (-380, 0, -380, "eur", 0.95)
    _at(world, 0.80)
    assert world.tell(f"refunds/{refund.id}", {"status": "failed"})["amount"] == 400
    failed = world.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert _shown(failed.failure_balance_transaction) == (320, 0, 320, "eur", 0.80)
    dispute = world.tell("disputes", {"charge": charge.id})
    assert (dispute["amount"], dispute["currency"]) == (1000, "usd")
    (taken,) = dispute["balance_transactions"]
    assert (taken["amount"], taken["fee"], taken["currency"], taken["exchange_rate"]) == (-800, 1500, "eur", 0.80)
    _at(world, 0.85)
    back = world.tell(f"disputes/{dispute['id']}/close", {"status": "won"})["balance_transactions"][1]
    assert (back["amount"], back["fee"], back["currency"]) == (850, 0, "eur")


def test_what_a_payout_by_hand_holds_is_refused(world: World) -> None:
    _at(world, 0.90)
    _paid(world, amount=1000)
    (payout,) = world.tell("payouts", {"reconciliation_status": "not_applicable"})
    refused = refusal(lambda: world.v1.balance_transactions.list({"payout": payout["id"]}))
    assert "only be filtered on automatic transfers, not manual" in str(refused)


def test_a_payout_holds_what_came_of_several_currencies_in_the_one_of_the_balance(world: World) -> None:
    _at(world, 0.90)
    moved = [_paid(world, amount=1000)[1], _paid(world, currency="eur", amount=500)[1]]
    (payout,) = world.tell("payouts", {})
    assert (payout["amount"], payout["currency"]) == (sum(each.net for each in moved), "eur")
    held = world.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert sorted(each.id for each in held[1:]) == sorted(each.id for each in moved)
    own = world.v1.balance_transactions.retrieve(payout["balance_transaction"])
    assert _shown(own)[3:] == ("eur", None)


def test_what_converts_to_too_little_is_refused(world: World) -> None:
    _at(world, 0.90)
    refused = refusal(lambda: world.pay(currency="usd", amount=54))
    assert (refused.code, refused.param) == ("amount_too_small", "amount")
    assert world.pay(currency="usd", amount=55).status == "succeeded"


@pytest.mark.parametrize(
    "wrong", [{"eur": 1}, {"eur": {"usd": "much"}}, {"eur": {"usd": 0}}, ["eur"]], ids=["flat", "word", "zero", "list"]
)
def test_a_settlement_without_rates_is_refused(world: World, wrong: object) -> None:
    assert world.ask("POST", "/_sandbox/config", json={"settlement": wrong}).status_code == 400


def test_what_came_to_the_balance_is_available_from_its_day_on(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    world.tell("config", {"async_capture": False})
    charge, moved = _paid(world, amount=1000)

    def seen() -> list[str]:
        expanded = world.v1.charges.retrieve(charge.id, {"expand": ["balance_transaction"]}).balance_transaction
        listed = world.v1.balance_transactions.list({"source": charge.id}).data
        return [world.v1.balance_transactions.retrieve(moved.id).status, expanded.status, *(e.status for e in listed)]

    assert seen() == ["pending"] * 3
    world.tell("clock", {"now": "2026-01-03T00:00:00Z"})
    assert seen() == ["available"] * 3
