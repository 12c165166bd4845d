"""Whatever people do, in any order: each report of each day ties to the ledger, and a closed month stays as it was.

`BILLING_LIVES` sets how many lives are led, `BILLING_LIFE_STEPS` how long each is.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.flows.company import Company
from tests.flows.life import Life

LIVES = int(os.environ.get("BILLING_LIVES", "1"))
STEPS = int(os.environ.get("BILLING_LIFE_STEPS", "40"))


@pytest.mark.parametrize("seed", range(LIVES))
def test_every_report_of_every_day_ties_and_a_closed_month_is_told_as_it_was(acme: Company, seed: int) -> None:
    life = Life(acme, random.Random(seed))
    life.begin()
    for _ in range(STEPS):
        life.step()
        assert life.broken() == [], life.done
        if life.closed:
            month, told = life.closed
            assert life.of_month(month) == told, life.done
    assert life.misstated() == []
    assert acme.violations() == (), life.done
