"""What PayPal exchanges by itself: payments turned into the account's own currency, leg by leg of its report."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import movements, refunding, resolution
from billing.kernel.ids import new_id
from billing.sandbox.scenario.playing.stage import Stage
from billing.sandbox.stripe.background import run_due
from tests.wallets import START, bill, give

FEE = 65
"""3.49 % of 10.00 USD and 0.30."""


def exchanged(stage: Stage, of: str, *legs: tuple[int, str], code: str = "T0200") -> None:
    """Rows of the report: what left one currency, and what came in the other."""
    side = stage.sides["paypal"]
    (account,) = {each.account_ref for each in side.witness.charges()}
    with side.stand_in.store.transaction() as tx:
        for amount, currency in legs:
            moved = {
                "id": new_id().hex[-17:].upper(),
                "object": "balance_transaction",
                "created": side.stand_in.clock.now(),
                "source": of,
                "amount": amount,
                "currency": currency,
                "status": "succeeded",
                "code": code,
            }
            tx.add(account, moved)


def stands(stage: Stage) -> dict[tuple[str, str], int]:
    """Where it isn't 0."""
    query = """
        SELECT account, currency, sum(amount_minor)::bigint FROM billing.posting
        WHERE account IN ('provider_clearing', 'exchange_differences', 'provider_fees')
        GROUP BY 1, 2 HAVING sum(amount_minor) <> 0"""
    with stage.parts.begin() as session:
        return {(account, currency): amount for account, currency, amount in session.execute(text(query))}


@pytest.fixture
def charge(stage: Stage, anna: UUID) -> str:
    """10.00 USD."""
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna, currency="usd")
    (charge,) = stage.sides["paypal"].witness.charges()
    return charge.charge_ref


def read_balance(stage: Stage) -> None:
    stage.set_clock(stage.now + timedelta(days=2))
    movements.sweep(stage.parts)


def test_what_paypal_exchanges_of_a_payment_leaves_the_one_currency_and_comes_in_the_other(
    stage: Stage, charge: str
) -> None:
    exchanged(stage, charge, (-935, "usd"), (850, "eur"))
    for _ in range(2):
        read_balance(stage)
        assert stands(stage) == {
            ("provider_fees", "usd"): FEE,
            ("provider_clearing", "eur"): 850,
            ("exchange_differences", "usd"): 935,
            ("exchange_differences", "eur"): -850,
        }


def test_a_refund_is_paid_for_in_the_accounts_own_currency(stage: Stage, charge: str) -> None:
    exchanged(stage, charge, (-935, "usd"), (850, "eur"))
    with stage.parts.begin() as session:
        invoice = session.execute(text("SELECT id FROM billing.invoice WHERE kind = 'invoice'")).scalar_one()
    refunding.refund(stage.parts, invoice)
    stage.settle()
    (refund,) = stage.sides["paypal"].witness.refunds()
    exchanged(stage, refund.refund_ref, (-910, "eur"), (1000, "usd"))
    read_balance(stage)
    assert stands(stage) == {
        ("provider_fees", "usd"): FEE,
        ("provider_clearing", "eur"): -60,
        ("exchange_differences", "usd"): -65,
        ("exchange_differences", "eur"): 60,
    }


@pytest.mark.parametrize("of", ["8XX00000000000000", ""])
def test_what_is_exchanged_of_something_else_is_no_act_of_billing(stage: Stage, charge: str, of: str) -> None:
    exchanged(stage, of, (-935, "usd"), (850, "eur"), code="T0201")
    read_balance(stage)
    assert stands(stage) == {("provider_fees", "usd"): FEE, ("provider_clearing", "usd"): 935}


def test_the_exchange_of_a_payment_that_was_held_does_not_stand_for_the_payment(stage: Stage, anna: UUID) -> None:
    """The report shows the payment at the day it was begun, and its exchange at the day it came."""
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400, "search_lag_s": 3 * 3600})
    bill(stage, anna, currency="usd")
    for hours in (5, 60, 145, 157):
        stage.set_clock(START + timedelta(hours=hours))
        run_due(side.stand_in, early=True)
        resolution.resolve(stage.parts)
        if hours == 145:
            (held,) = side.witness.charges()
            exchanged(stage, held.charge_ref, (-935, "usd"), (850, "eur"))
        else:
            movements.sweep(stage.parts)
    assert stands(stage)["provider_fees", "usd"] == FEE
