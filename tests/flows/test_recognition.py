"""Revenue is recognised as it is earned, to the cent, and given back before it is or after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import Proration
from billing.flows import changing, correcting, recognition, refunding
from billing.models import LedgerEntry
from billing.queries.books.reports import deferred_report
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company


def _by_day(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET revenue_recognition = 'day'"))


def _billed(acme: Company, price: str = "basic") -> None:
    """One paid month from 31 January to 28 February: 28 days."""
    acme.customer("a1")
    acme.subscribe("a1", "s1", price=price)
    acme.settle()


def _recognised(acme: Company) -> dict[str, int]:
    """Revenue by accounting date."""
    query = """
        SELECT e.booked_on, -sum(p.amount_minor) AS amount
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
        WHERE p.account = 'revenue' GROUP BY e.booked_on ORDER BY e.booked_on"""
    with acme.begin() as session:
        return {row.booked_on.isoformat(): int(row.amount) for row in session.execute(text(query))}


def _broken(acme: Company) -> list[str]:
    """What the audit says of the books; the days that a test leaves out are nobody's renewals."""
    return [each.detail for each in acme.violations() if each.code.startswith("L")]


def _go(acme: Company, at: datetime) -> None:
    acme.set_clock(at)
    recognition.recognise_due(acme.parts)


def test_by_month_a_line_is_earned_by_the_days_of_each_month(acme: Company) -> None:
    _billed(acme)
    _go(acme, datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    assert _recognised(acme) == {}
    _go(acme, datetime(2026, 2, 1, tzinfo=UTC))
    assert _recognised(acme) == {"2026-01-31": 36}
    _go(acme, datetime(2026, 2, 27, 12, tzinfo=UTC))
    assert _recognised(acme) == {"2026-01-31": 36}
    _go(acme, datetime(2026, 2, 28, tzinfo=UTC))
    assert _recognised(acme) == {"2026-01-31": 36, "2026-02-27": 964}
    assert acme.account("deferred_revenue") == 0
    assert _broken(acme) == []


def test_by_day_each_day_has_its_entry_and_a_late_sweep_catches_up_month_by_month(acme: Company) -> None:
    _by_day(acme)
    _billed(acme)
    for day in (1, 2, 3):
        _go(acme, datetime(2026, 2, day, tzinfo=UTC))
    assert _recognised(acme) == {"2026-01-31": 36, "2026-02-01": 35, "2026-02-02": 36}
    _go(acme, datetime(2026, 2, 20, 15, tzinfo=UTC))
    assert _recognised(acme)["2026-02-19"] == 1000 * 20 // 28 - 107
    _go(acme, datetime(2026, 4, 1, tzinfo=UTC))
    assert sum(_recognised(acme).values()) == 1000
    assert _broken(acme) == []


@pytest.mark.parametrize("policy", ["month", "day"])
def test_what_is_deferred_within_a_month_is_told_by_the_months_that_will_book_it(acme: Company, policy: str) -> None:
    """365.00 of 31 January to 31 January; booked by month, February's days so far are February's, not later ones'."""
    acme.price("year", 36500, interval_unit="year")
    if policy == "day":
        _by_day(acme)
    _billed(acme, "year")
    _go(acme, datetime(2026, 2, 15, 12, tzinfo=UTC))
    before = sum(_recognised(acme).values())
    with acme.begin() as session:
        report = deferred_report(session, as_of=date(2026, 2, 14))
    assert not report.broken
    told = {row["month"]: row["amount_minor"] for row in report.rows}
    _go(acme, datetime(2026, 3, 1, tzinfo=UTC))
    assert sum(_recognised(acme).values()) - before == told["2026-02"]
    _go(acme, datetime(2026, 4, 1, tzinfo=UTC))
    assert _recognised(acme)["2026-03-31"] == told["2026-03"] or policy == "day"


def _deferred(acme: Company, day: date) -> list[dict[str, object]]:
    with acme.begin() as session:
        report = deferred_report(session, as_of=day)
    assert not report.broken
    return report.rows


@pytest.mark.parametrize("prorate", [False, True])
def test_what_was_deferred_on_a_day_is_told_the_same_after_the_service_was_cut_short(
    acme: Company, *, prorate: bool
) -> None:
    """Twice: three of four seats go in March, all of it in May."""
    acme.price("year", 36500, interval_unit="year")
    acme.customer("a1")
    s1 = acme.begin_subscription("a1", "s1", NewItem("year", 4))
    acme.settle()
    told = {}
    for at in (datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)):
        _go(acme, at)
        day = at.date() - timedelta(days=1)
        told[day] = _deferred(acme, day)
        with acme.parts.begin() as session:
            if not told.keys() - {day}:
                changing.change(acme.parts, session, s1, items=[NewItem("year", 1)], proration=Proration.INVOICE_NOW)
            else:
                changing.cancel(acme.parts, session, s1, when=CancelWhen.NOW, prorate=prorate)
    _go(acme, datetime(2026, 6, 2, tzinfo=UTC))
    assert {day: _deferred(acme, day) for day in told} == told
    assert sum(int(str(row["amount_minor"])) for row in _deferred(acme, date(2026, 6, 1))) == 0
    assert _broken(acme) == []


def test_a_sweep_that_comes_again_finds_nothing(acme: Company) -> None:
    _billed(acme)
    acme.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    assert [recognition.recognise_due(acme.parts) for _ in range(3)] == [1, 0, 0]


def test_what_is_invoiced_after_its_time_is_revenue_at_once(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.set_clock(datetime(2026, 3, 15, tzinfo=UTC))
    acme.settle()
    assert _recognised(acme) == {"2026-03-15": 1000}
    with acme.begin() as session:
        entry = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "recognition")).one()
    assert (entry.effective_at, entry.profile_id, entry.invoice_id) == (datetime(2026, 3, 15, tzinfo=UTC), None, None)


def test_a_credit_takes_what_is_deferred_before_what_is_revenue(acme: Company) -> None:
    _by_day(acme)
    _billed(acme)
    _go(acme, START + timedelta(days=14))
    (invoice,) = acme.invoices()
    refunding.refund(acme.parts, invoice.id, amount_minor=833)
    assert (acme.account("deferred_revenue"), acme.account("revenue")) == (0, -300)
    assert _broken(acme) == []


def test_a_refund_while_the_service_goes_on_leaves_the_rest_to_its_days(acme: Company) -> None:
    _by_day(acme)
    _billed(acme)
    _go(acme, START + timedelta(days=14))
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=357)
    assert (acme.account("deferred_revenue"), acme.account("revenue")) == (-200, -500)
    _go(acme, START + timedelta(days=21))
    assert (acme.account("deferred_revenue"), acme.account("revenue")) == (-100, -600)


def test_a_cancellation_that_gives_back_stops_its_lines(acme: Company) -> None:
    _billed(acme)
    acme.set_clock(START + timedelta(days=14))
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, _subscription(acme), when=CancelWhen.NOW, prorate=True)
    acme.settle()
    assert (acme.account("deferred_revenue"), acme.account("revenue")) == (0, -500)
    assert acme.credit(acme.invoices()[0].profile_id) == 595
    assert _broken(acme) == []


def test_a_cancellation_that_gives_nothing_back_earns_the_rest_at_once(acme: Company) -> None:
    _billed(acme)
    _go(acme, datetime(2026, 2, 1, tzinfo=UTC))
    acme.set_clock(START + timedelta(days=14))
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, _subscription(acme), when=CancelWhen.NOW)
    acme.settle()
    assert _recognised(acme) == {"2026-01-31": 36, "2026-02-14": 964}
    assert acme.account("deferred_revenue") == 0


def test_a_change_moves_what_is_left_to_the_new_line(acme: Company) -> None:
    acme.price("plus", 2000)
    _billed(acme)
    acme.set_clock(START + timedelta(days=14))
    with acme.parts.begin() as session:
        changing.change(
            acme.parts, session, _subscription(acme), items=[NewItem("plus")], proration=changing.Proration.INVOICE_NOW
        )
    acme.settle()
    assert (acme.account("deferred_revenue"), acme.account("revenue")) == (-1000, -500)
    _go(acme, datetime(2026, 2, 28, tzinfo=UTC))
    assert (acme.account("revenue"), _broken(acme)) == (-1500, [])


def test_a_void_invoice_leaves_neither_deferred_nor_revenue(acme: Company) -> None:
    acme.customer("a1", method="pm_card_chargeCustomerFail")
    acme.subscribe("a1", "s1")
    acme.settle()
    _go(acme, datetime(2026, 2, 1, tzinfo=UTC))
    assert acme.account("revenue") == -36
    correcting.void(acme.parts, acme.invoices()[0].id)
    _go(acme, datetime(2026, 3, 1, tzinfo=UTC))
    names = ("receivable", "deferred_revenue", "revenue", "tax_payable")
    assert [acme.account(name) for name in names] == [0, 0, 0, 0]


def _subscription(acme: Company) -> UUID:
    found = acme.invoices()[0].subscription_id
    assert found is not None
    return found
