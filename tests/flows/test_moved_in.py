"""Who moved in: paid elsewhere up to a boundary, and what becomes of them before that boundary comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen
from billing.commands.usage.record import Recorded
from billing.flows import accrual, changing
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import Company

ANCHOR = datetime(2025, 1, 31, tzinfo=UTC)
MOVED = datetime(2026, 2, 10, tzinfo=UTC)
PAID = datetime(2026, 2, 28, tzinfo=UTC)
NEXT = datetime(2026, 3, 31, tzinfo=UTC)


@pytest.fixture
def moved(acme: Company) -> UUID:
    """Billed elsewhere since January 2025 and paid there to the end of February; it is 10 February."""
    acme.price("calls", 10, usage="sum")
    acme.price("peak", 10, usage="max")
    acme.price("yearly", 9000, interval_unit="year")
    acme.price("weekly", 300, interval_unit="week")
    acme.customer("a1")
    acme.set_clock(MOVED)
    items = (NewItem("basic"), NewItem("calls"), NewItem("peak"))
    id_ = acme.begin_subscription("a1", "s1", *items, start=ANCHOR, paid_through=PAID)
    acme.settle()
    return id_


def _used(record_id: str, quantity: int, at: datetime, *, price: str = "calls") -> NewUsage:
    return NewUsage("s1", price, record_id, Decimal(quantity), at)


def _lines(acme: Company) -> list[tuple[int, datetime | None, datetime | None]]:
    """Amount and period of each line of each document."""
    return [
        (line.amount_minor, line.period_start, line.period_end)
        for invoice in acme.invoices()
        for line in acme.lines(invoice)
    ]


@pytest.mark.parametrize("when", list(ChangeWhen))
@pytest.mark.parametrize(
    ("price", "charged"),
    [
        ("yearly", (9000, PAID, datetime(2027, 2, 28, tzinfo=UTC))),
        ("weekly", (300, PAID, datetime(2026, 3, 7, tzinfo=UTC))),
    ],
)
def test_another_interval_begins_where_the_paid_time_ends(
    acme: Company, moved: UUID, price: str, charged: tuple[int, datetime, datetime], when: ChangeWhen
) -> None:
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, moved, items=[NewItem(price)], when=when)
    acme.settle()
    assert _lines(acme) == [], "it is paid"
    acme.set_clock(PAID)
    acme.settle()
    assert _lines(acme) == [charged]
    acme.set_clock(charged[2])
    acme.settle()
    assert [line[:2] for line in _lines(acme)] == [charged[:2], (charged[0], charged[2])]
    assert acme.violations() == ()


def test_changed_twice_and_canceled_it_ends_where_the_paid_time_ends(acme: Company, moved: UUID) -> None:
    for price in ("weekly", "yearly", "weekly"):
        with acme.parts.begin() as session:
            changing.change(acme.parts, session, moved, items=[NewItem(price)])
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, moved, when=CancelWhen.PERIOD_END)
    assert acme.subscription(moved).cancel_at == PAID
    acme.set_clock(NEXT)
    acme.settle()
    assert (acme.subscription(moved).ended_at, _lines(acme)) == (PAID, [])
    assert acme.violations() == ()


def test_usage_from_before_is_not_billed_whenever_it_is_reported(acme: Company, moved: UUID) -> None:
    acme.use(_used("in-time", 5, MOVED - timedelta(days=1)))
    acme.set_clock(PAID + timedelta(days=1))
    acme.settle()
    late = PAID - timedelta(microseconds=1)
    assert acme.use(_used("late", 11, late), _used("peak", 9, late, price="peak")) == Recorded(2, repeated=0, late=0)
    acme.use(_used("ours", 2, PAID))
    acme.set_clock(NEXT)
    acme.settle()
    assert [amount for amount, start, _ in _lines(acme) if start == PAID] == [1000, 20, 0]
    assert acme.violations() == ()


def test_usage_from_before_is_no_revenue_of_its_month(acme: Company, moved: UUID) -> None:
    acme.use(_used("before", 700, MOVED - timedelta(days=1)), _used("long-before", 5, ANCHOR))
    acme.set_clock(datetime(2026, 3, 1, tzinfo=UTC))
    acme.use(_used("ours", 3, PAID))
    accrual.accrue_due(acme.parts)
    with acme.begin() as session:
        found = session.execute(text("SELECT sum(amount_minor) FROM billing.usage_accrual")).scalar_one()
    assert found == 30
