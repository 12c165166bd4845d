"""A seller's books go by our own data of its zone, as its documents do: the server may know other rules, or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from billing.commands.payout.note import note_payout
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import accrual, changing, movements, recognition, refunding
from billing.flows.bookkeeping import close
from billing.flows.order import Order
from billing.providers.listed import PayoutFacts
from billing.queries.books.report import Report
from billing.queries.books.reports import aging_report, payouts_report
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company
from tests.zone_files import MOVED, NEW, other_zones

ORDER = Order(actor="ada", reason="the month is over")
JANUARY = date(2026, 1, 1)
NEW_DAY = datetime(2026, 1, 31, 15, 30, tzinfo=UTC)
"""1 February in Tokyo, by whose clocks the moved zone goes, and still 31 January by the server's files."""


@pytest.fixture(autouse=True)
def _zones(tmp_path: Path) -> Iterator[None]:
    with other_zones(tmp_path):
        yield


def _of(acme: Company, zone: str, policy: str = "month") -> Company:
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.seller SET timezone = :zone, revenue_recognition = :policy"),
            {"zone": zone, "policy": policy},
        )
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic"))
    acme.settle()
    return acme


def _dates(acme: Company) -> list[tuple[str, str]]:
    with acme.begin() as session:
        rows = session.execute(text("SELECT kind, booked_on::text FROM billing.ledger_entry ORDER BY id"))
        return [(row.kind, row.booked_on) for row in rows]


def _revenue(acme: Company) -> dict[str, int]:
    query = """
        SELECT e.booked_on::text AS day, -sum(p.amount_minor)::int AS amount
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
        WHERE p.account = 'revenue' GROUP BY 1 ORDER BY 1"""
    with acme.begin() as session:
        return {row.day: row.amount for row in session.execute(text(query))}


def test_the_books_date_a_document_as_it_is_dated_itself(acme: Company) -> None:
    _of(acme, MOVED)
    acme.set_clock(NEW_DAY)
    acme.begin_subscription("a1", "s2", NewItem("basic"))
    acme.settle()
    refunding.refund(acme.parts, acme.invoices()[-1].id, amount_minor=100)
    acme.settle()
    for hours in (0, 2):
        acme.set_clock(NEW_DAY + timedelta(hours=hours))
        movements.sweep(acme.parts)

    dates = _dates(acme)
    assert {("issue", "2026-01-31"), ("issue", "2026-02-01")} <= set(dates)
    assert [day for kind, day in dates if kind == "payment"] == ["2026-01-31", "2026-02-01"]
    assert [day for kind, day in dates if kind == "refund_sent"] == ["2026-02-01"]
    assert {day for kind, day in dates if kind == "provider_fee"} == {"2026-01-31", "2026-02-01"}


def test_a_month_that_is_closed_when_it_is_over_here_holds_the_revenue_of_its_last_day(acme: Company) -> None:
    _of(acme, MOVED)
    acme.set_clock(NEW_DAY)
    recognition.recognise_due(acme.parts)

    assert close(acme.parts, acme.seller_id, month=JANUARY, order=ORDER).changed
    acme.set_clock(NEW_DAY + timedelta(days=1))
    recognition.recognise_due(acme.parts)
    assert _revenue(acme) == {"2026-01-31": 36}


def test_each_day_is_earned_when_it_is_over_here(acme: Company) -> None:
    _of(acme, MOVED, policy="day")
    for hours in range(0, 72, 6):
        acme.set_clock(START + timedelta(hours=hours))
        recognition.recognise_due(acme.parts)
        over = (acme.now() + timedelta(hours=9)).date()
        assert max(_revenue(acme), default="") == ("" if over.day == 31 else str(over - timedelta(days=1)))


def test_an_invoice_is_late_by_the_days_since_the_date_on_it(acme: Company) -> None:
    _of(acme, MOVED)
    acme.set_clock(NEW_DAY)
    acme.customer("a2", method=None)
    acme.begin_subscription("a2", "s2", NewItem("basic"))
    acme.settle()

    def late(day: date) -> list[str]:
        with acme.begin() as session:
            return [row["late"] for row in aging_report(session, as_of=day).rows]

    assert late(date(2026, 2, 1)) == ["not late"]
    assert late(date(2026, 2, 2)) == ["1-30 days"]


def _payouts(acme: Company) -> Report:
    """One that is on its way now and arrives a day later, as the month's report tells."""
    shares = [{"seller_id": str(acme.seller_id), "amount_minor": 1000}]
    for status, days in (("in_transit", 0), ("paid", 1)):
        now = acme.now() + timedelta(days=days)
        with acme.parts.begin() as session:
            facts = PayoutFacts("po_1", status, 1000, "eur", now)
            assert note_payout(session, account_id=acme.account_id, facts=facts, shares=shares, now=now)
    with acme.begin() as session:
        return payouts_report(session, month=date(2026, 2, 1))


def test_a_payout_is_dated_as_its_entries_are(acme: Company) -> None:
    _of(acme, MOVED)
    acme.set_clock(NEW_DAY)
    report = _payouts(acme)

    assert not report.broken
    assert [row["opened"] for row in report.rows] == [date(2026, 2, 1)]
    assert {day for kind, day in _dates(acme) if kind.startswith("payout")} == {"2026-02-01", "2026-02-02"}


def test_a_zone_that_the_server_does_not_know_has_books_like_any_other(acme: Company) -> None:
    acme.price("calls", 10, usage="sum")
    _of(acme, NEW, policy="day")
    id_ = acme.begin_subscription("a1", "s2", NewItem("basic"), NewItem("calls"))
    acme.use(NewUsage("s2", "calls", "r1", Decimal(30), START))
    for day in range(1, 5):
        acme.set_clock(START + timedelta(days=day, hours=9))
        accrual.accrue_due(acme.parts)
        acme.settle()
    assert close(acme.parts, acme.seller_id, month=JANUARY, order=ORDER).changed
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    acme.settle()
    with acme.begin() as session:
        aging = aging_report(session, as_of=acme.now().date())

    assert acme.violations() == ()
    assert not aging.broken
    assert not _payouts(acme).broken
