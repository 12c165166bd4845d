"""An account at Stripe that charges dollars and keeps euros: each movement is exchanged at the rate of its own day.

11.90 USD bring 10.71 EUR at 0.90, of which Stripe keeps 0.61.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.flows import disputing, movements, refunding
from billing.flows.order import Order
from billing.providers.listed import ListedMovement
from billing.providers.stripe import listing
from billing.queries.books.payout import payout_report
from billing.queries.books.reports import aging_report, deferred_report, payouts_report
from billing.queries.books.tax import tax_report
from billing.queries.books.trial_balance import trial_balances
from tests.flows.company import START, Company
from tests.flows.disputes import end, open_dispute, the_dispute
from tests.flows.settling import PRICE, at, balance, in_dollars, off, read_balance, stands

ORDER = Order(actor="mara", reason="the bank's letter")
CLEARING, EXCHANGE, FEES = "provider_clearing", "exchange_differences", "provider_fees"
EUR, FEE = 1071, 61


def test_a_charge_leaves_its_own_currency_and_its_fee_is_taken_in_the_balances(acme: Company) -> None:
    in_dollars(acme, "a1")
    assert balance(acme) == {"eur": EUR - FEE}
    assert stands(acme, CLEARING, EXCHANGE, FEES) == {
        (CLEARING, "eur"): EUR - FEE,
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -EUR,
        (FEES, "eur"): FEE,
    }
    assert off(acme) == []


@pytest.mark.parametrize(("of", "minor"), [("charge", -50), (None, -50), ("charge", 50)])
def test_an_adjustment_that_is_a_fee_moves_no_charge(acme: Company, of: str | None, minor: int) -> None:
    """Stripe: of the type adjustment some are fees, by their reporting category."""
    in_dollars(acme, "a1")
    (charge,) = acme.witness.charges()
    told = {"id": "txn_fee", "object": "balance_transaction", "type": "adjustment", "reporting_category": "fee",
            "amount": minor, "fee": 0, "currency": "eur", "created": int(START.timestamp()),
            "source": charge.charge_ref if of else None}  # fmt: skip
    with acme.parts.begin() as session:
        keep_movements(session, account_id=acme.account_id, listed=[listing.movement(told)])
        book_movements(session, account_id=acme.account_id, now=acme.now(), most=10)
    assert stands(acme, CLEARING, EXCHANGE, FEES) == {
        (CLEARING, "eur"): EUR - FEE + minor,
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -EUR,
        (FEES, "eur"): FEE - minor,
    }


def test_an_adjustment_of_another_kind_moves_no_charge_either(acme: Company) -> None:
    in_dollars(acme, "a1")
    (charge,) = acme.witness.charges()
    before = stands(acme, CLEARING, EXCHANGE, FEES)
    listed = [ListedMovement("txn_other", "adjustment", charge.charge_ref, -50, 0, "eur", START)]
    with acme.parts.begin() as session:
        keep_movements(session, account_id=acme.account_id, listed=listed)
        book_movements(session, account_id=acme.account_id, now=acme.now(), most=10)
    assert stands(acme, CLEARING, EXCHANGE, FEES) == before


def test_a_refund_costs_what_it_does_on_its_own_day(acme: Company) -> None:
    (invoice,) = in_dollars(acme, "a1")
    at(acme, 0.95)
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    assert stands(acme, CLEARING, EXCHANGE) == {
        (CLEARING, "eur"): EUR - FEE - 380,
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 380,
    }
    assert off(acme) == []


def test_a_refund_that_fails_comes_back_at_the_rate_of_that_day(acme: Company) -> None:
    (invoice,) = in_dollars(acme, "a1")
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    at(acme, 0.80)
    (refund,) = acme.refunds()
    acme.witness.call("POST", f"refunds/{refund.refund_ref}", {"status": "failed"})
    read_balance(acme)
    assert stands(acme, CLEARING, EXCHANGE, "refunds_in_flight") == {
        (CLEARING, "eur"): EUR - FEE - 360 + 320,
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -EUR + 360 - 320,
        ("refunds_in_flight", "usd"): -400,
    }
    assert off(acme) == []


def test_a_refund_that_converts_to_nothing_is_exchanged_too_and_stops_no_other(acme: Company) -> None:
    (invoice,) = in_dollars(acme, "a1")
    at(acme, 0.3)
    refunding.refund(acme.parts, invoice.id, amount_minor=1)
    read_balance(acme)
    at(acme, 0.9)
    refunding.refund(acme.parts, invoice.id, amount_minor=100)
    read_balance(acme)
    assert balance(acme) == {"eur": EUR - FEE - 90}
    assert stands(acme, CLEARING, EXCHANGE) == {
        (CLEARING, "eur"): EUR - FEE - 90,
        (EXCHANGE, "usd"): PRICE - 101,
        (EXCHANGE, "eur"): -EUR + 90,
    }
    assert off(acme) == []


def test_a_dispute_won_gives_back_at_another_rate(acme: Company) -> None:
    in_dollars(acme, "a1")
    at(acme, 0.95)
    ref = open_dispute(acme)
    read_balance(acme)
    assert stands(acme, "disputes") == {("disputes", "eur"): 1131}
    assert (the_dispute(acme).amount_minor, the_dispute(acme).moved_currency) == (PRICE, "eur")
    assert off(acme) == []
    at(acme, 0.92)
    end(acme, ref, "won")
    read_balance(acme)
    assert stands(acme, CLEARING, EXCHANGE, "disputes", "write_off", FEES) == {
        (CLEARING, "eur"): EUR - FEE - 1131 - 1500 + 1095,
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -EUR + 1131 - 1095,
        (FEES, "eur"): FEE + 1500,
    }
    assert off(acme) == []


def test_a_dispute_lost_reopens_the_invoice_and_takes_the_exchange_of_its_day(acme: Company) -> None:
    in_dollars(acme, "a1")
    at(acme, 0.95)
    end(acme, open_dispute(acme), "lost")
    read_balance(acme)
    assert stands(acme, CLEARING, EXCHANGE, "disputes", "receivable") == {
        (CLEARING, "eur"): EUR - FEE - 1131 - 1500,
        (EXCHANGE, "eur"): -EUR + 1131,
        ("receivable", "usd"): PRICE,
    }
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert stands(acme, "receivable", "write_off") == {("write_off", "usd"): PRICE}
    assert off(acme) == []


def test_what_had_gone_back_before_is_lost_and_no_difference_of_exchange(acme: Company) -> None:
    """Both sides are in dollars, so the loss is known in them: what is left on exchange is what was sold."""
    (invoice,) = in_dollars(acme, "a1")
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    end(acme, open_dispute(acme), "lost")
    read_balance(acme)
    assert stands(acme, EXCHANGE, "receivable", "write_off", "disputes") == {
        (EXCHANGE, "usd"): -400,
        (EXCHANGE, "eur"): 360,
        ("receivable", "usd"): PRICE - 400,
        ("write_off", "usd"): 400,
    }
    assert off(acme) == []


@pytest.mark.parametrize("first", ["refund", "dispute"])
def test_a_refund_that_failed_is_settled_by_a_loss_that_covers_it(acme: Company, first: str) -> None:
    (invoice,) = in_dollars(acme, "a1")
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    (refund,) = acme.refunds()
    ref = open_dispute(acme)
    for what in (first, *({"refund", "dispute"} - {first})):
        if what == "refund":
            acme.witness.call("POST", f"refunds/{refund.refund_ref}", {"status": "failed"})
        else:
            end(acme, ref, "lost")
        read_balance(acme)
    assert acme.refunds()[0].settled_as == "dispute"
    assert stands(acme, EXCHANGE, "receivable", "write_off", "refunds_in_flight") == {
        ("receivable", "usd"): PRICE - 400
    }
    assert off(acme) == []
    at(acme, 0.95)
    end(acme, ref, "won")
    read_balance(acme)
    assert stands(acme, EXCHANGE, "receivable", "write_off", "refunds_in_flight") == {
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -1131,
        ("refunds_in_flight", "usd"): -400,
    }
    assert off(acme) == []


def test_an_issuer_that_gives_in_gives_back_at_the_rate_of_that_day(acme: Company) -> None:
    in_dollars(acme, "a1")
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    at(acme, 0.85)
    end(acme, ref, "won")
    read_balance(acme)
    assert stands(acme, EXCHANGE, "receivable", "disputes") == {(EXCHANGE, "usd"): PRICE, (EXCHANGE, "eur"): -1012}
    assert off(acme) == []


def test_a_payout_is_told_to_the_cent_whatever_was_charged(acme: Company) -> None:
    first, second = in_dollars(acme, "a1", "a2")
    acme.customer("a3")
    acme.subscribe("a3", "of-a3")
    read_balance(acme)
    at(acme, 0.95)
    refunding.refund(acme.parts, first.id, amount_minor=400)
    read_balance(acme)
    (payout,) = acme.witness.call("POST", "payouts", {})
    read_balance(acme)
    assert (payout["amount"], payout["currency"]) == (2 * (EUR - FEE) + (1190 - 65) - 380, "eur")
    with acme.begin() as session:
        report = payout_report(session, payout=payout["id"])
    told = [
        (row["type"], row["invoice"], row["amount_minor"], row["fee_minor"], row["currency"]) for row in report.rows
    ]
    assert sorted(told) == [
        ("charge", first.number, EUR, FEE, "eur"),
        ("charge", second.number, EUR, FEE, "eur"),
        ("charge", "ACME-000003", 1190, 65, "eur"),
        ("refund", first.number, -380, 0, "eur"),
    ]
    assert sum(row["net_minor"] for row in report.rows) == payout["amount"]
    assert not report.broken
    acme.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})
    read_balance(acme)
    assert stands(acme, CLEARING, "payouts_in_transit", "bank") == {("bank", "eur"): payout["amount"]}
    assert off(acme) == []


def test_the_reports_of_a_month_tie_in_each_currency(acme: Company) -> None:
    first, second = in_dollars(acme, "a1", "a2")
    at(acme, 0.95)
    refunding.refund(acme.parts, first.id, amount_minor=400)
    ref = acme.witness.call("POST", "disputes", {"charge": _charge_of(acme, second.id)})["id"]
    read_balance(acme)
    end(acme, ref, "lost")
    acme.witness.call("POST", "payouts", {})
    acme.set_clock(START + timedelta(days=2))
    movements.sweep(acme.parts)
    acme.settle()
    month, last = date(2026, 1, 1), date(2026, 1, 31)
    with acme.begin() as session:
        reports = [
            tax_report(session, month=month),
            aging_report(session, as_of=last),
            deferred_report(session, as_of=last),
            payouts_report(session, month=month),
        ]
        off_by = [each.difference_minor for each in trial_balances(session, as_of=last)]
    assert [each.name for each in reports if each.broken] == []
    assert off_by == [0] * len(off_by)
    assert off(acme) == []


def _charge_of(acme: Company, invoice_id: Any) -> str:
    (payment,) = [each for each in acme.payments() if each.invoice_id == invoice_id]
    assert payment.charge_ref is not None
    return payment.charge_ref
