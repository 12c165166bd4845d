"""A buyer who moves within a period: what is given back is of the country that it was sold into, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import changing, refunding
from billing.flows.documents import document_facts
from billing.queries.books.reports import deferred_report
from billing.queries.books.tax import tax_report
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.company import Company

FEBRUARY = date(2026, 2, 1)
Row = tuple[str, str, int, str, int, int]


@pytest.fixture
def acme(acme: Company) -> Iterator[Company]:
    """1 February; `gross` bears 19 % in Germany and on Cyprus, inside the price."""
    with acme.parts.begin() as session:
        rate = NewTaxRate("gross", Decimal(19), inclusive=True, countries={"CY": Decimal(19)})
        put_tax_rate(session, seller_id=acme.seller_id, new=rate)
    acme.price("gross", 1190, tax_rate="gross")
    acme.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    yield acme
    assert acme.violations() == ()


def _sold(acme: Company, price: str, country: str) -> UUID:
    acme.customer("a1", country=country)
    id_ = acme.begin_subscription("a1", "s1", NewItem(price, 1))
    acme.settle()
    return id_


def _move(acme: Company, country: str) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET country = :country"), {"country": country})
    acme.set_clock(datetime(2026, 2, 15, tzinfo=UTC))


def _double(acme: Company, id_: UUID, price: str) -> None:
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem(price, 2)], proration=Proration.INVOICE_NOW)
    acme.settle()


def _taxed(acme: Company) -> list[Row]:
    """Country, code, percent, kind, base and tax of February."""
    with acme.begin() as session:
        report = tax_report(session, month=FEBRUARY)
    assert not report.broken
    return [
        (row["country"], row["code"], int(row["percent"]), row["documents"], row["base_minor"], row["amount_minor"])
        for row in report.rows
    ]


def test_tax_that_is_given_back_is_that_of_the_country_in_which_it_was_declared(acme: Company) -> None:
    id_ = _sold(acme, "basic", "FR")
    _move(acme, "DE")
    _double(acme, id_, "basic")
    assert _taxed(acme) == [
        ("DE", "domestic", 19, "invoices", 1000, 190),
        ("FR", "destination", 20, "invoices", 500, 100),
    ]
    later = max(acme.invoices(), key=lambda each: each.number or "")
    refunding.refund(acme.parts, later.id)
    acme.settle()
    assert _taxed(acme) == [
        ("DE", "domestic", 19, "invoices", 1000, 190),
        ("DE", "domestic", 19, "notes", -1000, -190),
        ("FR", "destination", 20, "invoices", 500, 100),
        ("FR", "destination", 20, "notes", 500, 100),
    ]


def test_so_it_is_where_a_cancel_gives_it_back_in_a_note_of_its_own(acme: Company) -> None:
    id_ = _sold(acme, "basic", "FR")
    _move(acme, "DE")
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    acme.settle()
    assert _taxed(acme) == [
        ("FR", "destination", 20, "invoices", 1000, 200),
        ("FR", "destination", 20, "notes", -500, -100),
    ]
    sold, note = sorted(acme.invoices(), key=lambda each: each.kind, reverse=True)
    (line,) = document_facts(acme.parts, note.id).lines
    assert (line.corrects, line.corrects_issued_at) == (sold.number, sold.issued_at), "as the law asks of a note"
    assert [each.corrects for each in document_facts(acme.parts, sold.id).lines] == [None]


def test_two_countries_of_one_percent_are_told_apart_and_each_line_bears_its_own_tax(acme: Company) -> None:
    id_ = _sold(acme, "gross", "DE")
    _move(acme, "CY")
    _double(acme, id_, "gross")
    assert _taxed(acme) == [
        ("CY", "destination", 19, "invoices", 1000, 190),
        ("DE", "domestic", 19, "invoices", 500, 95),
    ]
    with acme.begin() as session:
        nets = session.scalars(text("SELECT net_minor - credited_minor FROM billing.revenue_schedule ORDER BY id"))
        assert list(nets) == [500, 1000]
        assert not deferred_report(session, as_of=date(2026, 2, 15)).broken


def test_a_cancel_asks_for_no_rate_of_the_country_that_the_buyer_has_moved_to(acme: Company) -> None:
    """What is given back bears the tax of what was sold; nothing is sold into the new one."""
    id_ = _sold(acme, "basic", "FR")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET oss = 'union'"))
    _move(acme, "AT")
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    assert acme.subscription(id_).status == "canceled"
    assert _taxed(acme) == [
        ("FR", "destination", 20, "invoices", 1000, 200),
        ("FR", "destination", 20, "notes", -500, -100),
    ]
