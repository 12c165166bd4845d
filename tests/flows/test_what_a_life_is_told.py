"""In a life several accounts may be away at one moment: then, too, it goes on; any other fault ends it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from billing.kernel.errors import ProviderUnavailable, Stale
from tests.flows.company import START, Company
from tests.flows.life import Life
from tests.flows.life_of_accounts import open_shop
from tests.flows.life_of_banks import read_balance
from tests.flows.life_of_wallets import mount_paypal
from tests.flows.passing import passing

LOCKED = OperationalError("SELECT 1", None, Exception("canceling statement due to lock timeout"))
READ_TO = text("SELECT movements_read_to FROM billing.provider_account WHERE provider = 'stripe' ORDER BY code")


@pytest.fixture
def life(two_accounts: None, acme: Company) -> Life:
    made = Life(acme, random.Random(0), {}, mount_paypal(acme))
    open_shop(made)
    return made


def test_two_accounts_that_can_not_be_read_at_one_moment_are_read_the_next_time(life: Life) -> None:
    acme = life.acme
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_account SET movements_read_to = :at"), {"at": START})
    acme.set_clock(START + timedelta(hours=3))
    # Stripe's code for an object that another request works on: no lock of our database.
    acme.witness.add_faults({"kind": "lock_timeout", "next": 2, "path": "/v1/balance_transactions"})
    assert life.told(read_balance).startswith("read_balance: ")
    with acme.begin() as session:
        assert list(session.scalars(READ_TO)) == [START, START]
    assert life.told(read_balance) == "read_balance"
    with acme.begin() as session:
        assert min(session.scalars(READ_TO)) > START


@pytest.mark.parametrize(
    "error",
    [
        LOCKED,
        ExceptionGroup("several", [ProviderUnavailable("away"), LOCKED]),
        ExceptionGroup("several", [Stale("late"), ExceptionGroup("of that", [ValueError("a fault of ours")])]),
    ],
)
def test_a_lock_of_ours_that_is_waited_for_in_vain_ends_a_life_also_beside_an_account_that_is_away(
    life: Life, error: Exception
) -> None:
    def act(_: Life) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        life.told(act)
    assert raised.value is error


def test_a_worker_who_comes_second_to_several_things_at_once_goes_on() -> None:
    with passing(Stale):
        raise ExceptionGroup("several", [Stale("late"), ExceptionGroup("of that", [Stale("late")])])


def test_what_does_not_pass_is_raised_beside_what_does() -> None:
    several = ExceptionGroup("several", [Stale("late"), LOCKED])
    with pytest.raises(ExceptionGroup) as raised, passing(Stale):
        raise several
    assert raised.value is several
