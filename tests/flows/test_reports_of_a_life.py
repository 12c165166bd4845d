"""Whatever people do, in any order: each report of each day ties to the ledger, and a closed month stays as it was.

`BILLING_LIVES` sets how many lives are led, `BILLING_LIFE_STEPS` how long each is, `BILLING_LIFE_FROM` the first.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.flows import (
    life_of_accounts,
    life_of_banks,
    life_of_money,
    life_of_subscriptions,
    life_of_wallets,
    life_of_workers,
)
from tests.flows.company import Company
from tests.flows.life import Life
from tests.flows.life_in_a_crowd import CUSTOMERS, crowd
from tests.flows.life_of_accounts import astray, misheld, open_shop
from tests.flows.life_of_money import of_month
from tests.flows.life_of_wallets import mount_paypal
from tests.flows.life_pages import unopened
from tests.flows.life_truths import audited, misstated, untrue

FIRST = int(os.environ.get("BILLING_LIFE_FROM", "0"))
LIVES = int(os.environ.get("BILLING_LIVES", "1"))
STEPS = int(os.environ.get("BILLING_LIFE_STEPS", "30"))
pytestmark = pytest.mark.usefixtures("two_accounts")
ACTS = {
    **life_of_subscriptions.ACTS,
    **life_of_money.ACTS,
    **life_of_banks.ACTS,
    **life_of_wallets.ACTS,
    **life_of_accounts.ACTS,
    **life_of_workers.ACTS,
}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_every_report_of_every_day_ties_and_a_closed_month_is_told_as_it_was(acme: Company, seed: int) -> None:
    life = begun(acme, seed)
    for _ in range(STEPS):
        life.step()
        _holds(life)
    _end(life)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_so_it_is_where_several_do_something_at_one_moment(acme: Company, seed: int) -> None:
    life = begun(acme, seed)
    del life.profiles[CUSTOMERS:]
    for _ in range(STEPS):
        if life.chance.random() < 0.4:
            life.step()
        else:
            crowd(life)
            life.rest()
        _holds(life)
    _end(life)


def begun(acme: Company, seed: int) -> Life:
    life = Life(acme, random.Random(seed), ACTS, mount_paypal(acme))
    life.begin()
    open_shop(life)
    while len(life.subscriptions) < 3:
        life.do(life_of_subscriptions.subscribe)
    return life


def _holds(life: Life) -> None:
    """What must be true after each step."""
    assert [*untrue(life), *astray(life)] == [], life.done
    if life.quiet and life.done[-1] == "go":
        assert audited(life) == (), life.done
    for month, told in life.closed:
        assert of_month(life, month) == told, life.done


def _end(life: Life) -> None:
    life.do(life_of_money.go)
    life.settle()
    assert [*untrue(life), *misstated(life), *audited(life), *unopened(life)] == [], life.done
    assert [*misheld(life), *untrue(life), *astray(life)] == [], life.done
