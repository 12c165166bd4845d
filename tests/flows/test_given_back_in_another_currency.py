"""An account whose balance becomes one in another currency while a dispute is open: its money comes back in that.

The sums of a dispute are nominal then; what came is what the balance shows, and the difference is one of exchange.
"""

from __future__ import annotations

from datetime import timedelta

from billing.flows import movements
from tests.flows.company import START, Company
from tests.flows.disputes import end, open_dispute
from tests.flows.settling import PRICE, in_dollars, off, read_balance, stands

CLEARING, EXCHANGE, LOST, FEES = "provider_clearing", "exchange_differences", "write_off", "provider_fees"
EUR, FEE, OF_DISPUTE = 1071, 61, 1500
EXCHANGED = {
    (CLEARING, "eur"): 1190 - 65 - 1190 - OF_DISPUTE,
    (CLEARING, "usd"): 1309,
    (EXCHANGE, "eur"): 1190,
    (EXCHANGE, "usd"): -1309,
}
"""11.90 EUR, less the fees, were taken in euros and came back as 13.09 USD: nothing of it is lost."""


def test_euros_were_taken_and_dollars_are_given_back(acme: Company) -> None:
    in_dollars(acme, "a1")
    ref = open_dispute(acme)
    read_balance(acme)
    acme.witness.call("POST", "config", {"settlement": {}})
    end(acme, ref, "won")
    read_balance(acme)
    assert stands(acme, CLEARING, EXCHANGE, LOST, "disputes") == {
        (CLEARING, "eur"): EUR - FEE - EUR - OF_DISPUTE,
        (CLEARING, "usd"): PRICE,
    }
    assert off(acme) == []


def test_what_was_taken_in_its_own_currency_and_comes_back_in_another_is_exchanged_and_not_lost(acme: Company) -> None:
    _charge_in_euros(acme)
    ref = open_dispute(acme)
    read_balance(acme)
    _won_in_dollars(acme, ref)
    assert stands(acme, CLEARING, EXCHANGE, LOST, "disputes") == EXCHANGED
    assert off(acme) == []


def test_so_it_is_of_a_loss_that_is_turned(acme: Company) -> None:
    _charge_in_euros(acme)
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    read_balance(acme)
    _won_in_dollars(acme, ref)
    assert stands(acme, CLEARING, EXCHANGE, LOST, "disputes", "receivable") == EXCHANGED
    assert off(acme) == []


def test_a_balance_that_is_read_before_the_dispute_is_told_of_waits_for_what_it_took(acme: Company) -> None:
    _charge_in_euros(acme)
    ref = open_dispute(acme, inquiry=True)
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1, "type": "charge.dispute"})
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    read_balance(acme)
    assert stands(acme, "disputes", FEES) == {(FEES, "eur"): 65}
    acme.witness.clear_faults()
    _won_in_dollars(acme, ref)
    assert stands(acme, CLEARING, EXCHANGE, LOST, "disputes") == EXCHANGED
    assert off(acme) == []


def _charge_in_euros(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    movements.sweep(acme.parts)
    acme.set_clock(START + timedelta(hours=2))
    read_balance(acme)


def _won_in_dollars(acme: Company, ref: str) -> None:
    """The balance has become one in dollars meanwhile."""
    acme.witness.call("POST", "config", {"settlement": {"usd": {"eur": 1.1}}})
    end(acme, ref, "won")
    read_balance(acme)
