"""Usage: recorded in bulk, once each, all or nothing; it counts in one period or in none, and no document changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.usage.record import Recorded, record_usage
from billing.flows import changing, renewal
from billing.kernel.errors import Refused
from billing.models import UsageRecord
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

BOUNDARY = datetime(2026, 2, 28, tzinfo=UTC)
NEXT = datetime(2026, 3, 31, tzinfo=UTC)
METERS = {"calls": "sum", "peak": "max", "seats": "last"}
"""Prices by how their records become a quantity; 0.10 EUR each."""


def _used(record_id: str, quantity: int | str, at: datetime | None = None, *, price: str = "calls") -> NewUsage:
    return NewUsage("s1", price, record_id, Decimal(quantity), at)


def _told(acme: Company, place: int) -> dict[str, str]:
    """The quantities of a document's usage lines, by price."""
    with acme.begin() as session:
        codes = {row.id: row.code for row in session.execute(text("SELECT id, code FROM billing.price"))}
    lines = acme.lines(acme.invoices()[place])
    return {codes[line.price_id]: f"{line.quantity.normalize():f}" for line in lines if line.kind == "usage"}


def _refusal(acme: Company, *records: NewUsage) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refusal:
        acme.use(*records)
    return [(fault.field, fault.code) for fault in refusal.value.faults]


def _records(acme: Company) -> int:
    with acme.begin() as session:
        return session.scalar(select(func.count()).select_from(UsageRecord)) or 0


@pytest.fixture
def s1(acme: Company) -> UUID:
    """`basic` and three meters, paid from 31 January; it is 10 February."""
    for code, usage in METERS.items():
        acme.price(code, 10, usage=usage)
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", *(NewItem(code) for code in ("basic", *METERS)))
    acme.settle()
    acme.set_clock(datetime(2026, 2, 10, tzinfo=UTC))
    return id_


def _statements(acme: Company, records: list[NewUsage]) -> int:
    with acme.counting_statements() as sent:
        acme.use(*records)
    return len(sent)


def test_ten_thousand_records_in_one_call(acme: Company, s1: UUID) -> None:
    few = _statements(acme, [_used(f"few-{number}", 1) for number in range(10)])
    many = [_used(f"many-{number}", "0.5", START + timedelta(seconds=number)) for number in range(10_000)]
    began = time.process_time()
    sent = _statements(acme, many)
    assert time.process_time() - began < 5
    assert sent == few <= 10
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _told(acme, 1) == {"calls": "5010", "peak": "0", "seats": "0"}


def test_a_record_counts_once_by_its_id_whatever_the_repeat_says(acme: Company, s1: UUID) -> None:
    first = _used("u1", 7)
    assert acme.use(first, _used("u1", 100)) == Recorded(1, repeated=1, late=0, differing=(2,))
    assert acme.use(first, _used("u1", 3, price="peak"), _used("u2", 1)) == Recorded(1, 2, late=0, differing=(2,))
    far = datetime(2027, 1, 1, tzinfo=UTC)
    assert acme.use(_used("u1", 7, far), _used("u2", 7, price="none")) == Recorded(0, 2, late=0, differing=(1, 2))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _told(acme, 1)["calls"] == "8"


def test_a_repeat_that_says_otherwise_is_named_by_its_place(acme: Company, s1: UUID) -> None:
    at = START + timedelta(days=1)
    assert acme.use(_used("u1", "7.50", at), _used("u2", 1)).differing == ()
    assert acme.use(_used("u2", 1), _used("u1", "7.5", at), _used("u1", "7.5")).differing == (), "as it was"
    assert acme.use(_used("u1", 7, at), _used("u3", 1), _used("u1", "7.5", START)).differing == (1, 3)
    many = [_used(f"many-{number}", 1) for number in range(1000)]
    acme.use(*many)
    once, thousand = _statements(acme, [_used("u1", 8)]), _statements(acme, [_used(e.record_id, 2) for e in many])
    assert once == thousand <= 10


def test_of_two_calls_at_once_the_later_one_says_that_it_differs(acme: Company, s1: UUID) -> None:
    with ThreadPoolExecutor(1) as pool:
        with acme.parts.begin() as session:
            record_usage(session, seller_id=acme.seller_id, new=[_used("u1", 1)], now=acme.now())
            later = pool.submit(acme.use, _used("u1", 2), _used("u2", 1))
            _until_blocked(acme)
        assert later.result(timeout=20) == Recorded(1, repeated=1, late=0, differing=(1,))


def test_one_fault_refuses_the_whole_batch_with_every_fault_named(acme: Company, s1: UUID) -> None:
    now = acme.now()
    faults = _refusal(
        acme,
        _used("fine", 1),
        _used("future", 1, now + timedelta(seconds=1)),
        _used("early", 1, START - timedelta(seconds=1)),
        _used("licensed", 1, price="basic"),
        NewUsage("nobody", "calls", "u1", Decimal(1)),
    )
    assert faults == [
        ("records.2.timestamp", "usage_in_future"),
        ("records.3.timestamp", "usage_before_start"),
        ("records.4.price", "price_not_subscribed"),
        ("records.5.subscription", "subscription_not_found"),
    ]
    assert _records(acme) == 0


def test_values_that_are_none_are_refused_before_anything_is_read(acme: Company, s1: UUID) -> None:
    with acme.counting_statements() as sent:
        faults = _refusal(
            acme,
            _used("minus", -1),
            _used("nan", "NaN"),
            _used("", 1),
            _used("naive", 1, datetime(2026, 2, 1)),
            _used("fine", "1e-31"),
            _used("a\0", 1),
        )
    assert [field for field, _ in faults] == [
        "records.1.quantity",
        "records.2.quantity",
        "records.3.id",
        "records.4.timestamp",
        "records.5.quantity",
        "records.6.id",
    ]
    assert not [statement for statement in sent if "usage_record" in statement]


def test_a_batch_has_an_end(acme: Company, s1: UUID) -> None:
    assert _refusal(acme) == [("records", "out_of_range")]
    too_many = [_used(f"u{number}", 1) for number in range(10_001)]
    assert _refusal(acme, *too_many) == [("records", "out_of_range")]


def test_what_is_over_takes_no_more_usage(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, s1, when=CancelWhen.NOW)
    assert _refusal(acme, _used("u1", 1)) == [("records.1.subscription", "subscription_canceled")]


def test_the_boundary_belongs_to_the_period_that_it_opens(acme: Company, s1: UUID) -> None:
    acme.use(_used("first", 1, START))
    acme.set_clock(BOUNDARY)
    acme.use(_used("last", 2, BOUNDARY - timedelta(microseconds=1)), _used("next", 4, BOUNDARY))
    acme.settle()
    assert _told(acme, 1)["calls"] == "3"
    acme.set_clock(NEXT)
    acme.settle()
    assert _told(acme, 2)["calls"] == "4"


def test_late_records_of_a_sum_count_at_once_and_those_of_others_change_nothing(acme: Company, s1: UUID) -> None:
    acme.use(*(_used(f"{price}-1", 5, price=price) for price in METERS))
    acme.set_clock(BOUNDARY)
    acme.settle()
    issued = _frozen(acme)
    late = BOUNDARY - timedelta(days=1)
    done = acme.use(*(_used(f"{price}-2", 9, late, price=price) for price in METERS))
    assert done == Recorded(written=3, repeated=0, late=2)
    acme.use(*(_used(f"{price}-3", 2, price=price) for price in METERS))
    acme.set_clock(NEXT)
    acme.settle()
    assert _told(acme, 1) == {"calls": "5", "peak": "5", "seats": "5"}
    assert _told(acme, 2) == {"calls": "11", "peak": "2", "seats": "2"}
    assert _frozen(acme)[: len(issued)] == issued
    assert acme.violations() == ()


def _frozen(acme: Company) -> list[tuple[Any, ...]]:
    query = """
        SELECT i.number, i.total_minor, i.content_hash,
               array_agg((l.id, l.quantity, l.amount_minor) ORDER BY l.position)
        FROM billing.invoice i JOIN billing.invoice_line l ON l.invoice_id = i.id GROUP BY i.id, i.seller_id
        ORDER BY i.number"""
    with acme.begin() as session:
        return [(row[0], row[1], bytes(row[2]), str(row[3])) for row in session.execute(text(query))]


def test_the_highest_and_the_latest_record_are_taken(acme: Company, s1: UUID) -> None:
    at = [START + timedelta(days=day) for day in (3, 2, 1)]
    for price in ("peak", "seats"):
        acme.use(*(_used(f"{price}-{number}", number + 1, at[number], price=price) for number in range(3)))
    acme.use(_used("seats-again", 8, at[0], price="seats"))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert (_told(acme, 1)["peak"], _told(acme, 1)["seats"]) == ("3", "8")


def test_usage_of_a_trial_is_free(acme: Company) -> None:
    acme.price("calls", 10, usage="sum")
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("calls"), trial_days=10)
    acme.set_clock(START + timedelta(days=5))
    acme.use(_used("free", 100))
    end = START + timedelta(days=10)
    acme.set_clock(end)
    acme.use(_used("at-its-end", 3))
    acme.settle()
    acme.use(_used("late", 50, end - timedelta(seconds=1)))
    acme.set_clock(datetime(2026, 3, 10, tzinfo=UTC))
    acme.settle()
    assert _told(acme, 0) == {"calls": "3"}


def test_usage_stamped_in_a_pause_is_never_billed(acme: Company, s1: UUID) -> None:
    began, ended = datetime(2026, 2, 12, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC)
    acme.set_clock(began)
    acme.use(_used("before", 1, began - timedelta(seconds=1)))
    _at(acme, began, lambda parts, session: changing.pause(parts, session, s1))
    acme.set_clock(began + timedelta(days=1))
    acme.use(_used("in", 100))
    acme.set_clock(ended)
    acme.use(_used("at-its-end", 2))
    _at(acme, ended, lambda parts, session: changing.resume(parts, session, s1))
    acme.use(_used("stamped-back", 1000, began), _used("after", 4))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _told(acme, 1)["calls"] == "7"


def test_a_moment_that_turns_out_to_be_paused_does_not_count(acme: Company, s1: UUID) -> None:
    acme.use(_used("same-moment", 100))
    _at(acme, acme.now(), lambda parts, session: changing.pause(parts, session, s1))
    acme.set_clock(BOUNDARY - timedelta(days=1))
    _at(acme, acme.now(), lambda parts, session: changing.resume(parts, session, s1))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _told(acme, 1)["calls"] == "0"


def _at(acme: Company, now: datetime, act: Callable[[Any, Any], object]) -> None:
    acme.set_clock(now)
    with acme.parts.begin() as session:
        act(acme.parts, session)


def test_while_usage_is_recorded_its_subscription_is_not_billed_and_then_it_counts(acme: Company, s1: UUID) -> None:
    acme.set_clock(BOUNDARY)
    with ThreadPoolExecutor(1) as pool:
        with acme.parts.begin() as session:
            record_usage(
                session,
                seller_id=acme.seller_id,
                new=[_used("just-in-time", 6, BOUNDARY - timedelta(seconds=1))],
                now=BOUNDARY,
            )
            billing = pool.submit(acme.sweep)
            _until_blocked(acme)
            assert len(acme.invoices()) == 1
        billing.result(timeout=20)
    acme.settle()
    assert _told(acme, 1)["calls"] == "6"


def test_while_it_is_billed_usage_waits_and_is_then_late(acme: Company, s1: UUID) -> None:
    acme.set_clock(BOUNDARY)
    billed, go = Event(), Event()

    def bill() -> None:
        with acme.parts.begin() as session:
            profile = acme.subscription(s1).profile_id
            renewal.bill_profiles(acme.parts, session, profiles=[profile])
            billed.set()
            assert go.wait(20)

    with ThreadPoolExecutor(2) as pool:
        billing = pool.submit(bill)
        assert billed.wait(20)
        recording = pool.submit(acme.use, _used("late", 6, BOUNDARY - timedelta(seconds=1), price="peak"))
        _until_blocked(acme)
        go.set()
        billing.result(timeout=20)
        assert recording.result(timeout=20) == Recorded(written=1, repeated=0, late=1)
    assert _told(acme, 1)["peak"] == "0"


def test_records_of_one_subscription_do_not_wait_for_each_other(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as first:
        record_usage(first, seller_id=acme.seller_id, new=[_used("u1", 1)], now=acme.now())
        with acme.parts.begin() as second:
            second.execute(text("SET LOCAL lock_timeout = '500ms'"))
            try:
                record_usage(second, seller_id=acme.seller_id, new=[_used("u2", 1)], now=acme.now())
            except OperationalError:  # pragma: no cover
                pytest.fail("it waited for the other")
    assert _records(acme) == 2


def test_two_calls_with_the_same_records_the_other_way_round_wait_for_no_one_twice(acme: Company, s1: UUID) -> None:
    many = [_used(f"u{number}", 1) for number in range(10_000)]
    both = Barrier(2)

    def use(records: list[NewUsage]) -> int:
        both.wait(20)
        return acme.use(*records).written

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, (many, many[::-1]))) == [0, 10_000]


def _until_blocked(acme: Company) -> None:
    """Until somebody waits for a lock of this database."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def blocked() -> bool:
        with acme.begin() as session:
            return bool(session.scalar(query))

    acme.wait_for(blocked)


def test_an_invoice_that_was_issued_is_the_same_after_any_usage(acme: Company, s1: UUID) -> None:
    acme.set_clock(BOUNDARY)
    acme.settle()
    before = _frozen(acme)
    days = [START + timedelta(days=day) for day in (0, 27)]
    acme.use(*(_used(f"{price}-{at.day}", 7, at, price=price) for price in METERS for at in days))
    assert _frozen(acme) == before
    assert len(acme.invoices()) == 2
