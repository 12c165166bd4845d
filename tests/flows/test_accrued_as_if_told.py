"""Revenue month by month, of what waits for its document: it is that of a seller whose documents are issued at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import text

from billing.commands.product.create import create_product
from billing.commands.seller.create import create_seller
from billing.commands.subscription.change import Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.validators.address import Address
from billing.validators.product import NewProduct
from billing.validators.seller import NewSeller
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.accrued import MONTHS, accruals, change, months, pass_to
from tests.flows.company import START, Company

_BEGINS = datetime(2026, 4, 10, 7, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Story:
    """A subscription and what becomes of it: (day, price, quantity), the last of them in its second period."""

    unit: str
    changes: Sequence[tuple[datetime, str, int]]
    inclusive: bool = False
    zone: str = "UTC"
    proration: str = "second"
    recognition: str = "month"

    @property
    def looks(self) -> Container[int]:
        """In which months something is due that a worker in time finds before the month ends."""
        return (_BEGINS.month,) if (self.unit, self.recognition) == ("year", "month") else MONTHS

    @property
    def ends(self) -> datetime:
        """More than two months after all of it has been told."""
        told = self.changes[-1][0] if self.unit == "month" else _BEGINS + timedelta(days=365)
        return told + timedelta(days=70)


def _twin(acme: Company) -> Company:
    """Another seller of the company, to whom all happens as to the first; but its documents are issued at once."""
    with acme.parts.begin() as session:
        address = Address("Street 3", city="Town", postal_code="10115")
        new = NewSeller("OTHER", "Other GmbH", "DE", "eur", address=address, tax_id="DE123456788")
        made = create_seller(session, new=new, actor="mara", reason="a second one", now=START)
        session.flush()
        create_product(session, seller_id=made.id, new=NewProduct("basic", "Basic"), now=START)
        put_tax_rate(session, seller_id=made.id, new=NewTaxRate("standard", Decimal(19)))
    return replace(acme, seller_id=made.id)


def _play(waits: Company, at_once: Company, story: Story, *, late: bool = False) -> None:
    ways = ((waits, "a1", Proration.PRORATE), (at_once, "b1", Proration.INVOICE_NOW))
    for each, _, _ in ways:
        with each.parts.begin() as session:
            rate = NewTaxRate("gross", Decimal(19), inclusive=True)
            put_tax_rate(session, seller_id=each.seller_id, new=rate)
            session.execute(
                text("UPDATE billing.seller SET timezone = :zone, proration = :unit, revenue_recognition = :policy"),
                {"zone": story.zone, "unit": story.proration, "policy": story.recognition},
            )
        for code, amount in (("small", 9_999), ("big", 17_001)):
            each.price(code, amount, interval_unit=story.unit, tax_rate="gross" if story.inclusive else "standard")
    looks = () if late else story.looks
    waits.set_clock(_BEGINS)
    ids = {}
    for each, account, _ in ways:
        each.customer(account)
        ids[account] = each.begin_subscription(account, f"of-{account}", NewItem("small", 2))
    waits.settle()
    for day, price, quantity in story.changes:
        pass_to(waits, day, looks=looks)
        for each, account, how in ways:
            change(each, ids[account], quantity, price=price, proration=how)
        waits.settle()
    pass_to(waits, story.ends, looks=looks)


def _day(month: int, day: int, hour: int = 12, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


STORIES = {
    "more, by the month": Story("month", [(_day(4, 20), "small", 5)]),
    "less, by the month": Story("month", [(_day(4, 20), "small", 1)]),
    "another price, by the year": Story("year", [(_day(6, 3), "big", 2)]),
    "up, up and down before it is told": Story(
        "year", [(_day(5, 3), "small", 3), (_day(6, 17), "big", 4), (_day(9, 30, 23), "small", 1)]
    ),
    "twice in one month": Story("year", [(_day(5, 3), "big", 3), (_day(5, 3, 13), "big", 1), (_day(5, 31), "big", 2)]),
    "to nothing more than it was": Story("year", [(_day(7, 4), "big", 9), (_day(7, 31, 23), "small", 2)]),
    "by days, where another day begins earlier": Story(
        "year", [(_day(5, 31, 16), "big", 3), (_day(8, 31, 14), "small", 1)], zone="Asia/Tokyo", proration="day"
    ),
    "recognised day by day": Story("year", [(_day(5, 20), "big", 3), (_day(8, 9), "big", 2)], recognition="day"),
    "with the tax inside": Story("year", [(_day(5, 20), "big", 3), (_day(8, 9), "small", 1)], inclusive=True),
}


@pytest.mark.parametrize("name", STORIES)
def test_month_by_month_revenue_is_what_it_would_be_had_each_line_been_issued_at_once(acme: Company, name: str) -> None:
    """A tax inside is shared among a document's lines to the cent, which depends on what stands beside them."""
    other, story = _twin(acme), STORIES[name]
    _play(acme, other, story)
    waited, told = months(acme), months(other)
    off = {month: waited.get(month, 0) - told.get(month, 0) for month in waited | told}
    assert {month: by for month, by in off.items() if abs(by) > (2 if story.inclusive else 0)} == {}
    assert len(waited) >= 3
    assert accruals(acme)
    assert acme.violations() == ()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_so_it_is_whatever_changes_when(acme: Company, seed: int, *, late: bool) -> None:
    """Also where the worker comes late, so that a month is accrued before what fell due in it is billed."""
    chance = Random(seed)
    days = sorted(chance.sample(range(2, 330), 5))
    changes = [
        (_day(4, 11) + timedelta(days=day, hours=chance.randint(0, 23)), chance.choice(["small", "big"]), quantity)
        for day, quantity in zip(days, chance.sample(range(1, 9), 5), strict=True)
    ]
    other, story = _twin(acme), Story("year", changes)
    _play(acme, other, story, late=late)
    assert months(acme) == months(other)
    assert acme.violations() == ()
