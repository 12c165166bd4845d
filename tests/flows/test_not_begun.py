"""A subscription that begins later, with a stub: what is announced of it is what it comes to, however it is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen
from billing.flows import changing
from billing.flows.previewing import preview_cancel, preview_change, preview_renewal
from billing.models import Subscription
from billing.validators.subscription import NewItem
from tests.flows.company import Company

BEGINS, ANCHOR = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)


@pytest.fixture
def s1(acme: Company) -> UUID:
    """Two weeks of a month of four, from 1 March; it is 20 February."""
    acme.price("more", 2000)
    acme.price("weekly", 300, interval_unit="week")
    acme.price("yearly", 9000, interval_unit="year")
    acme.customer("a1")
    acme.set_clock(datetime(2026, 2, 20, tzinfo=UTC))
    return acme.begin_subscription("a1", "s1", NewItem("basic"), start=BEGINS, anchor=ANCHOR)


def _billed(acme: Company) -> list[tuple[int, datetime | None, datetime | None]]:
    acme.set_clock(BEGINS)
    acme.settle()
    (invoice,) = acme.invoices()
    (line,) = acme.lines(invoice)
    return [(line.amount_minor, line.period_start, line.period_end)]


def test_its_stub_is_announced_at_its_share(acme: Company, s1: UUID) -> None:
    with acme.begin() as session:
        told = preview_renewal(acme.parts, session, session.get_one(Subscription, s1), now=acme.now())
    assert told is not None
    assert [(line.amount_minor, line.period_start, line.period_end) for line in told.lines] == _billed(acme)
    assert _billed(acme) == [(500, BEGINS, ANCHOR)]


@pytest.mark.parametrize("when", list(ChangeWhen))
@pytest.mark.parametrize(
    ("price", "charged"),
    [
        ("more", (1000, BEGINS, ANCHOR)),
        ("weekly", (300, BEGINS, datetime(2026, 3, 8, tzinfo=UTC))),
        ("yearly", (9000, BEGINS, datetime(2027, 3, 1, tzinfo=UTC))),
    ],
)
def test_a_change_before_it_begins_is_billed_as_it_was_shown(
    acme: Company, s1: UUID, price: str, charged: tuple[int, datetime, datetime], when: ChangeWhen
) -> None:
    with acme.begin() as session:
        shown = preview_change(acme.parts, session, s1, items=[NewItem(price)], when=when).upcoming
    assert shown is not None
    assert [(line.amount_minor, line.period_start, line.period_end) for line in shown.lines] == [charged]
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, s1, items=[NewItem(price)], when=when)
    assert _billed(acme) == [charged]
    assert acme.subscription(s1).next_due_at == charged[2]
    assert acme.violations() == ()


@pytest.mark.parametrize("asked", [datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)])
def test_a_cancel_at_the_end_of_the_period_before_it_begins_bills_nothing(
    acme: Company, s1: UUID, asked: datetime
) -> None:
    """Also where the full month that the stub is a part of is yet to begin."""
    acme.set_clock(asked)
    with acme.begin() as session:
        shown = preview_cancel(acme.parts, session, s1, when=CancelWhen.PERIOD_END)
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, s1, when=CancelWhen.PERIOD_END)
    assert acme.subscription(s1).cancel_at == BEGINS
    assert (shown.upcoming, shown.documents) == (None, ())
    acme.set_clock(ANCHOR)
    acme.settle()
    assert (acme.invoices(), acme.subscription(s1).status) == ([], "canceled")
    assert acme.subscription(s1).ended_at == BEGINS
    assert acme.violations() == ()
