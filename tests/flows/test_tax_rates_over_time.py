"""A tax rate that changes on a day: what is sold from then on bears the new percent, and nothing before it does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.subscription.change import Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import changing, drafts, previewing
from billing.flows.charging import charge_once
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import Invoice, InvoiceLine, Seller, Subscription, TaxRate
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewRateChange, NewTaxRate
from billing.validators.usage import NewUsage
from tests.flows.company import Company, company

WHY = Order(actor="ada", reason="the new law")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = NewRateChange(date(2026, 4, 1), Decimal(20), {"FR": Decimal(21)})


def _put(acme: Company, *changes: NewRateChange, percent: int = 19) -> None:
    new = NewTaxRate("standard", Decimal(percent), countries={"FR": Decimal(20)}, changes=changes)
    with acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=new)


@pytest.fixture
def acme(acme: Company) -> Iterator[Company]:
    """1 March; 19 % becomes 20 on 1 April, and 20 % in France becomes 21."""
    _put(acme, APRIL)
    acme.set_clock(MARCH)
    yield acme
    assert acme.violations() == ()


def _on(acme: Company, month: int, day: int = 1, hour: int = 0) -> None:
    acme.set_clock(datetime(2026, month, day, hour, tzinfo=UTC))
    acme.settle()


def _percents(acme: Company) -> list[list[tuple[str, str]]]:
    """Of each document its lines, with their kind."""
    with acme.begin() as session:
        return [
            [
                (line.kind, f"{line.tax_percent.normalize():f}")
                for line in session.scalars(
                    select(InvoiceLine).where(InvoiceLine.invoice_id == each.id).order_by(InvoiceLine.position)
                )
            ]
            for each in session.scalars(select(Invoice).order_by(Invoice.issued_at, Invoice.number))
        ]


def _sold(acme: Company, *items: NewItem, country: str = "DE") -> UUID:
    acme.customer("a1", country=country)
    id_ = acme.begin_subscription("a1", "s1", *(items or [NewItem("basic", 1)]))
    acme.settle()
    return id_


@pytest.mark.parametrize(("country", "before", "after"), [("DE", "19", "20"), ("FR", "20", "21"), ("AT", "19", "20")])
def test_a_period_bears_the_percent_of_the_day_on_which_it_begins(
    acme: Company, country: str, before: str, after: str
) -> None:
    _sold(acme, country=country)
    _on(acme, 4)
    assert _percents(acme) == [[("recurring", before)], [("recurring", after)]]


def test_one_that_began_before_is_not_taxed_anew(acme: Company) -> None:
    _on(acme, 3, 15)
    _sold(acme)
    _on(acme, 4, 14)
    assert _percents(acme) == [[("recurring", "19")]]
    _on(acme, 4, 15)
    assert _percents(acme)[1:] == [[("recurring", "20")]]


def test_what_was_used_bears_the_percent_of_its_own_period(acme: Company) -> None:
    acme.price("calls", 7, usage="sum")
    _sold(acme, NewItem("basic", 1), NewItem("calls"))
    acme.use(NewUsage("s1", "calls", "u1", Decimal(100), MARCH))
    _on(acme, 4)
    assert _percents(acme)[1] == [("usage", "19"), ("recurring", "20")]
    assert [group["percent"] for group in acme.invoices()[1].tax_groups] == ["19", "20"]
    _on(acme, 5)
    assert _percents(acme)[2] == [("usage", "20"), ("recurring", "20")]


def test_what_is_billed_late_is_billed_as_it_had_been_in_time(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1", start=MARCH)
    acme.set_clock(datetime(2026, 5, 1, tzinfo=UTC))
    acme.settle()
    assert _percents(acme) == [[("recurring", "19")], [("recurring", "20")], [("recurring", "20")]]


def test_a_change_within_a_period_gives_back_what_was_charged_and_charges_what_is_due(acme: Company) -> None:
    _on(acme, 3, 15)
    id_ = _sold(acme)
    _on(acme, 4, 5)
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("basic", 2)], proration=Proration.INVOICE_NOW)
    acme.settle()
    assert _percents(acme)[1] == [("proration_credit", "19"), ("proration_charge", "20")]


def test_what_waits_for_its_invoice_bears_the_percent_of_its_own_day(acme: Company) -> None:
    """A charge for the rest of a period is of the day of the change; what is charged once, of the document's."""
    acme.price("setup", 1900, interval_unit=None)
    id_ = _sold(acme)
    _on(acme, 3, 20)
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("basic", 2), NewItem("setup", 1)])
    _on(acme, 4)
    assert _percents(acme)[1] == [
        ("proration_credit", "19"), ("proration_charge", "19"), ("one_off", "20"), ("recurring", "20"),
    ]  # fmt: skip


def test_the_day_begins_where_the_seller_is(acme: Company) -> None:
    whom = acme.customer("a1")
    with acme.parts.begin() as session:
        session.get_one(Seller, acme.seller_id).timezone = "Europe/Berlin"
    for hour in (21, 22):
        _on(acme, 3, 31, hour)
        with acme.parts.begin() as session:
            charge_once(acme.parts, session, whom, amount_minor=100, currency="eur", description="A book")
    assert _percents(acme) == [[("one_off", "19")], [("one_off", "20")]]


def test_the_next_invoice_is_shown_as_it_will_be(acme: Company) -> None:
    acme.price("setup", 1900, interval_unit=None)
    id_ = _sold(acme)
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("basic", 1), NewItem("setup", 1)])
    with acme.parts.begin() as session:
        row = session.get_one(Subscription, id_)
        shown = previewing.preview_renewal(acme.parts, session, row, now=acme.parts.clock.now(session))
    assert shown is not None
    _on(acme, 4)
    assert shown.totals.total_minor == acme.invoices()[1].total_minor == 1200 + 2280


def test_so_it_is_in_the_preview_of_a_change_that_charges_something_once(acme: Company) -> None:
    acme.price("setup", 1900, interval_unit=None)
    id_ = _sold(acme)
    items = [NewItem("basic", 1), NewItem("setup", 1)]
    with acme.parts.begin() as session:
        seen = previewing.preview_change(acme.parts, session, id_, items=items)
        assert seen.upcoming is not None
        previewing.apply(acme.parts, session, seen.token)
    _on(acme, 4)
    assert seen.upcoming.totals.total_minor == acme.invoices()[1].total_minor == 1200 + 2280


def test_a_change_that_is_put_later_counts_from_its_day_on(acme: Company) -> None:
    _put(acme)
    _sold(acme)
    _on(acme, 4)
    _put(
        acme,
        NewRateChange(date(2026, 4, 15), Decimal("25.5")),
        NewRateChange(date(2026, 5, 1), None, {"FR": Decimal(1)}),
    )
    _on(acme, 5)
    assert _percents(acme) == [[("recurring", "19")], [("recurring", "19")], [("recurring", "25.5")]]


def test_an_invoice_that_is_replaced_keeps_the_percent_of_its_own_time(acme: Company) -> None:
    acme.price("calls", 7, usage="sum")
    _sold(acme, NewItem("basic", 1), NewItem("calls"))
    acme.use(NewUsage("s1", "calls", "u1", Decimal(100), MARCH))
    whom = acme.invoices()[0].profile_id
    with acme.parts.begin() as session:
        charge_once(acme.parts, session, whom, amount_minor=100, currency="eur", description="A book")
    _on(acme, 4)
    before = _percents(acme)
    assert before == [[("recurring", "19")], [("one_off", "19")], [("usage", "19"), ("recurring", "20")]]
    _on(acme, 5)
    for invoice in acme.invoices()[:3]:
        replace_invoice(acme.parts, invoice.id, order=WHY)
    with acme.begin() as session:
        new = session.scalars(select(Invoice).where(Invoice.corrects_id.is_not(None), Invoice.kind == "invoice"))
        ids = [each.id for each in sorted(new, key=lambda each: each.number or "")]
        lines = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id.in_(ids)))
        by_invoice = {id_: list[str]() for id_ in ids}
        for line in sorted(lines, key=lambda each: each.position):
            by_invoice[line.invoice_id].append(f"{line.tax_percent.normalize():f}")
    assert [*by_invoice.values()] == [[percent for _, percent in each] for each in before]


def test_a_line_that_is_added_to_a_draft_is_of_that_day(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(draft_review_h=24)) as acme:
        _put(acme, APRIL)
        acme.set_clock(datetime(2026, 3, 31, 12, tzinfo=UTC))
        acme.customer("a1")
        acme.begin_subscription("a1", "s1", NewItem("basic", 1))
        acme.settle()
        (draft,) = acme.invoices()
        for at in (datetime(2026, 3, 31, 12, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)):
            acme.set_clock(at)
            with acme.parts.begin() as session:
                drafts.add_line(acme.parts, session, draft.id, description="A book", amount_minor=100)
        _on(acme, 4, 2)
        assert _percents(acme) == [[("recurring", "19"), ("one_off", "19"), ("one_off", "20")]]
        assert acme.violations() == ()


def test_whether_prices_include_the_tax_is_never_turned_under_them(acme: Company) -> None:
    gross = NewTaxRate("standard", Decimal(19), inclusive=True)
    with pytest.raises(Refused) as refused, acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=gross)
    assert (refused.value.code, refused.value.faults[0].field) == ("tax_included_fixed", "inclusive")
    for inclusive in (False, True):
        with acme.parts.begin() as session:
            new = NewTaxRate("unused", Decimal(19), inclusive=inclusive)
            put_tax_rate(session, seller_id=acme.seller_id, new=new)
    with acme.begin() as session:
        kept = session.execute(select(TaxRate.name, TaxRate.inclusive).order_by(TaxRate.name)).all()
    assert kept == [("standard", False), ("unused", True)]
