"""Whatever people do, in any order: each report of each day ties to the ledger, and a closed month stays as it was.

`BILLING_LIVES` sets how many lives are led, `BILLING_LIFE_STEPS` how long each is, `BILLING_LIFE_FROM` the first.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.flows import life_of_banks, life_of_money, life_of_subscriptions, life_of_wallets
from tests.flows.company import Company
from tests.flows.life import Life
from tests.flows.life_of_money import of_month
from tests.flows.life_of_wallets import mount_paypal
from tests.flows.life_truths import audited, misstated, untrue

FIRST = int(os.environ.get("BILLING_LIFE_FROM", "0"))
LIVES = int(os.environ.get("BILLING_LIVES", "1"))
STEPS = int(os.environ.get("BILLING_LIFE_STEPS", "30"))
ACTS = {**life_of_subscriptions.ACTS, **life_of_money.ACTS, **life_of_banks.ACTS, **life_of_wallets.ACTS}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_every_report_of_every_day_ties_and_a_closed_month_is_told_as_it_was(acme: Company, seed: int) -> None:
    life = Life(acme, random.Random(seed), ACTS, mount_paypal(acme))
    life.begin()
    while len(life.subscriptions) < 3:
        life.do(life_of_subscriptions.subscribe)
    for _ in range(STEPS):
        life.step()
        assert untrue(life) == [], life.done
        if life.quiet and life.done[-1] == "go":
            assert audited(life) == (), life.done
        if life.closed:
            month, told = life.closed
            assert of_month(life, month) == told, life.done
    life.do(life_of_money.go)
    life.settle()
    assert [*untrue(life), *misstated(life), *audited(life)] == [], life.done
