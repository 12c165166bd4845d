"""Any line, any story: what it charged and was not given back is revenue in the end, and never more before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from billing.commands.revenue.defer import Deferral, defer
from billing.commands.revenue.recognise import recognise
from billing.commands.revenue.stop import stop_recognition
from billing.commands.revenue.take_back import Credit, take_back
from billing.db.session import connect, sessions
from billing.kernel.money import divide_half_away
from billing.models import Invoice, InvoiceLine, RevenueSchedule
from billing.queries.books.dating import datings
from tests import builders

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def books(database_url: str) -> Iterator[Engine]:
    """A database for all examples, each in a transaction that is taken back."""
    engine = connect(database_url)
    with sessions(engine)() as session:
        builders.world(session)
        session.commit()
    yield engine
    engine.dispose()


@dataclass
class Story:
    """One line of the world, invoiced anew at noon for a time and in a zone of its own."""

    session: Session
    invoice: Invoice
    line: InvoiceLine
    zone: str
    now: datetime = NOON

    def begin(self, net: int, starts: datetime, ends: datetime, policy: str) -> None:
        self.session.execute(text("DELETE FROM billing.revenue_schedule"))
        self.session.execute(
            text("UPDATE billing.seller SET timezone = :zone, revenue_recognition = :policy"),
            {"zone": self.zone, "policy": policy},
        )
        deferral = Deferral(self.line.id, self.line.seller_id, self.invoice.id, "eur", net, starts, ends)
        by_seller = datings(self.session, [self.line.seller_id])
        defer(self.session, [deferral], datings=by_seller, now=self.now)

    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)
        while recognise(self.session, now=self.now, most=10):
            pass

    def credit(self, amount: int, *, stops: bool) -> None:
        credit = Credit(amount, line_id=self.line.id, stops_at=self.now if stops else None)
        (taken,) = take_back(self.session, [credit], now=self.now)
        assert taken.deferred_minor + taken.recognised_minor == amount

    def end(self) -> None:
        assert self.invoice.subscription_id is not None
        stop_recognition(self.session, [(self.invoice.subscription_id, self.now)], now=self.now)

    @property
    def schedule(self) -> RevenueSchedule:
        self.session.expire_all()
        return self.session.scalars(select(RevenueSchedule)).one()


ACTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("credit"), st.integers(1, 3000)),
    st.tuples(st.just("credit and stop"), st.integers(1, 3000)),
    st.tuples(st.just("end"), st.just(0)),
)


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(
    line=st.tuples(st.integers(1, 2500), st.integers(-40, 20), st.integers(0, 70)),
    zone=st.sampled_from(["UTC", "Pacific/Auckland", "America/Los_Angeles"]),
    policy=st.sampled_from(["day", "month"]),
    acts=st.lists(ACTS, max_size=8),
)
def test_what_was_not_given_back_is_revenue_when_its_time_is_over_and_never_more_before(
    books: Engine, line: tuple[int, int, int], zone: str, policy: str, acts: list[tuple[str, int]]
) -> None:
    net, starts, days = line
    with sessions(books)() as session:
        story = _story(session, zone)
        begins = NOON + timedelta(days=starts)
        story.begin(net, begins, begins + timedelta(days=days), policy)
        simple = True
        for what, number in acts:
            simple = simple and what == "wait"
            if what == "wait":
                story.wait(number)
            elif what == "end":
                story.end()
            else:
                story.credit(number, stops=what == "credit and stop")
            row = story.schedule
            assert 0 <= row.recognised_minor <= row.net_minor - row.credited_minor
            if simple and policy == "day" and days:
                assert row.recognised_minor == _earned(story, net, begins, days)
        story.wait(120)
        row = story.schedule
        assert row.recognised_minor == row.net_minor - row.credited_minor
        assert row.next_at is None
        session.execute(text("SET CONSTRAINTS billing.ledger_entry_balanced IMMEDIATE"))
        session.rollback()


def _story(session: Session, zone: str) -> Story:
    invoice = session.scalars(select(Invoice).where(Invoice.kind == "invoice").order_by(Invoice.id)).first()
    assert invoice is not None
    line = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)).first()
    assert line is not None
    return Story(session, invoice, line, zone)


def _earned(story: Story, net: int, begins: datetime, days: int) -> int:
    """By the days of the line that are over in the seller's zone; one that came too late is earned whole."""
    at = ZoneInfo(story.zone)
    first, today = begins.astimezone(at).date(), story.now.astimezone(at).date()
    last = (begins + timedelta(days=days)).astimezone(at).date()
    over = min(max((today - first).days, 0), (last - first).days)
    return divide_half_away(net * over, (last - first).days)


def test_parts_of_a_small_sum_never_drift_from_the_whole(books: Engine) -> None:
    with sessions(books)() as session:
        story = _story(session, "UTC")
        story.begin(100, NOON, NOON + timedelta(days=365), "day")
        for day in range(1, 366):
            story.wait(1)
            assert story.schedule.recognised_minor == divide_half_away(100 * day, 365)
        session.rollback()


def test_a_credit_that_comes_after_its_lines_time_does_not_make_that_time_longer(books: Engine) -> None:
    with sessions(books)() as session:
        story = _story(session, "UTC")
        story.begin(1000, NOON, NOON + timedelta(days=30), "day")
        ends_on = story.schedule.ends_on
        story.wait(40)
        story.credit(100, stops=True)
        assert (story.schedule.ends_on, story.schedule.recognised_minor) == (ends_on, 900)
        session.rollback()
