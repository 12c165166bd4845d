"""Renewals: slices, catch-up, halving, holds; no period twice, none missed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.slice.claim import claim
from billing.commands.slice.cut import cut
from billing.flows import renewal, working
from billing.flows.order import Order
from billing.flows.slices import STARTS_ALONE
from billing.flows.working import Action
from billing.kernel.errors import Stale
from billing.models import (
    BillingPeriod,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    OutboxEvent,
    Posting,
    Series,
    Slice,
    WorkItem,
)
from billing.privacy.sealed import unseal
from billing.rules.walk import MOST_ON_ONE
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company


def _break(acme: Company, code: str) -> None:
    """A subscription that no code can bill: its zone does not exist."""
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET timezone = 'No/Where' WHERE code = :code"), {"code": code}
        )


@dataclass(slots=True)
class Ticking:
    """A clock of two readings: as the transaction begins, and as the numbers are locked."""

    first: datetime
    then: datetime
    read: int = 0

    def now(self, _session: Session) -> datetime:
        self.read += 1
        return self.first if self.read == 1 else self.then


@pytest.mark.parametrize(
    ("zone", "hour", "documents"),
    [("Europe/Berlin", 23, 0), ("Europe/Berlin", 0, 1), ("UTC", 0, 0), ("America/New_York", 0, 1)],
)
def test_books_and_document_bear_one_date_of_the_sellers(acme: Company, zone: str, hour: int, documents: int) -> None:
    """What is numbered after the seller's midnight is not what was booked before it; another zone's is no matter."""
    profile = acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    midnight = datetime(2026, 2, 4, hour, tzinfo=UTC)
    clock = Ticking(midnight - timedelta(seconds=1), midnight)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET timezone = :zone"), {"zone": zone})
    with nullcontext() if documents else pytest.raises(Stale), acme.parts.begin() as session:
        renewal.bill_profiles(replace(acme.parts, clock=clock), session, profiles=[profile])
    assert clock.read == 2
    assert len(acme.invoices()) == documents


def test_an_invoice_is_complete_when_it_is_numbered(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1", quantity=3)
    acme.settle()
    with acme.begin() as session:
        invoice = session.scalars(select(Invoice)).one()
        line = session.scalars(select(InvoiceLine)).one()
        assert (line.amount_minor, line.quantity, line.how["numerator"]) == (3000, 3, 3000)
        assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == (3000, 570, 3570)
        assert invoice.tax_groups == [
            {"percent": "19", "inclusive": False, "base_minor": 3000, "tax_minor": 570, "code": "domestic"}
        ]
        entry = session.scalars(select(LedgerEntry)).one()
        sides = {posting.account: posting.amount_minor for posting in session.scalars(select(Posting))}
        assert (entry.invoice_id, sides) == (
            invoice.id,
            {"receivable": 3570, "deferred_revenue": -3000, "tax_payable": -570},
        )
        topics = set(session.scalars(select(OutboxEvent.topic).where(OutboxEvent.object_id == invoice.id)))
        assert topics == {"invoice.issued", "invoice.action_needed"}, "it has no method"
        key = session.execute(
            text("SELECT id, master_id, wrapped FROM billing.data_key WHERE id = :id"), {"id": invoice.document_key_id}
        ).one()
        opened = unseal(
            acme.parts.keyring.unwrap(master_id=key.master_id, wrapped=key.wrapped, row=key.id),
            invoice.parties,
            table="invoice",
            row=invoice.id,
            column="parties",
        )
    assert b'"legal_name":"Acme GmbH"' in opened
    assert b"Person a1" in opened


def test_one_slice_in_few_queries_whatever_its_size(acme: Company) -> None:
    for number in range(12):
        acme.customer(f"a{number}", method=None)
        acme.subscribe(f"a{number}", f"s{number}")

    def queries_of(members: int) -> int:
        with acme.begin() as session:
            profiles = list(session.execute(text("SELECT id FROM billing.profile ORDER BY id")).scalars())
        with acme.parts.begin() as session:
            (slice_id,) = cut(session, kind="renewals", members=profiles[:members], size=members)
        with acme.counting_statements() as statements:
            assert renewal.bill(acme.parts, slice_id) == members
        with acme.parts.begin() as session:
            again = "UPDATE billing.subscription SET next_due_at = :now, anchor_no = anchor_no + 1, next_period_no = 0"
            session.execute(text(again), {"now": START})
        return len(statements)

    queries_of(1)  # the first slice also makes the year's document key
    assert queries_of(2) == queries_of(12) <= 29


def test_missed_months_are_billed_each_oldest_first_with_their_own_periods(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.set_clock(datetime(2026, 5, 10, tzinfo=UTC))
    acme.settle()
    invoices = acme.invoices()
    assert [invoice.period_start.date().isoformat() for invoice in invoices if invoice.period_start] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert {invoice.issued_at for invoice in invoices} == {datetime(2026, 5, 10, tzinfo=UTC)}


def test_a_catch_up_above_the_limit_goes_on_in_the_next_slice(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(catch_up_limit=2)) as acme:
        acme.customer("a1", method=None)
        acme.subscribe("a1", "s1")
        acme.set_clock(datetime(2026, 5, 10, tzinfo=UTC))
        renewal.plan(acme.parts)
        acme.run_messages()
        assert len(acme.invoices()) == 2
        acme.settle()
        assert len(acme.invoices()) == 4


@pytest.mark.parametrize(
    ("policy", "documents", "dispositions"), [("merge", 1, {"billed"}), ("skip", 1, {"billed", "skipped"})]
)
def test_merge_and_skip_write_one_document_and_record_every_period(
    database_url: str, policy: str, documents: int, dispositions: set[str]
) -> None:
    with company(database_url, policy=SellerPolicy(catch_up=policy)) as acme:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.set_clock(datetime(2026, 5, 10, tzinfo=UTC))
        acme.settle()
        assert len(acme.invoices()) == documents
        with acme.begin() as session:
            periods = session.scalars(select(BillingPeriod).order_by(BillingPeriod.period_no)).all()
        assert [period.period_no for period in periods] == [0, 1, 2, 3]
        assert {period.disposition for period in periods} == dispositions


@pytest.mark.parametrize("policy", ["merge", "skip"])
def test_more_missed_periods_than_one_document_takes_are_a_persons_work_until_each_is_billed(
    database_url: str, policy: str
) -> None:
    with company(database_url, policy=SellerPolicy(catch_up=policy)) as acme:
        acme.customer("a1", method=None)
        acme.price("daily", 100, interval_unit="day")
        acme.subscribe("a1", "s1", price="daily")
        acme.set_clock(START + timedelta(days=MOST_ON_ONE + 1))
        acme.settle()
        (item,) = acme.work_items()
        assert (acme.invoices(), item.kind) == ([], "subscription_not_billed")
        assert "catch_up_too_long" in (item.error or "")
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.seller SET catch_up = 'bill_each', catch_up_limit = 3"))
        order = Order(actor="mara", reason="each is billed")
        assert working.act(acme.parts, item.id, action=Action.RETRY, order=order).changed
        renewal.plan(acme.parts)
        acme.run_messages()
        assert len(acme.invoices()) == 3


def test_a_bad_subscription_is_halved_out_and_all_others_are_billed(acme: Company) -> None:
    for number in range(9):
        acme.customer(f"a{number}", method=None)
        acme.subscribe(f"a{number}", f"s{number}")
    _break(acme, "s4")
    acme.settle()
    assert len(acme.invoices()) == 8
    with acme.begin() as session:
        item = session.scalars(select(WorkItem)).one()
        assert (item.kind, item.subject_type, item.status) == ("subscription_not_billed", "subscription", "open")
        assert "unknown_timezone" in (item.error or "")
        held = session.execute(text("SELECT code, hold_id FROM billing.subscription WHERE hold_id IS NOT NULL")).one()
        assert held == ("s4", item.id)
        assert session.scalars(select(Series.next_no).where(Series.kind == "invoice")).one() == 9


def test_what_was_mended_and_billed_before_it_is_set_apart_is_not_held(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a1")
    id_ = acme.subscribe("a1", "s1")
    _break(acme, "s1")
    set_apart = renewal._set_apart

    def mended_first(*given: Any, **named: Any) -> None:
        due = renewal._subscriptions(acme.parts, given[1])
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.subscription SET timezone = 'UTC'"))
            assert renewal.bill_profiles(acme.parts, session, profiles=given[1].member_ids)
        monkeypatch.setattr(renewal, "_subscriptions", lambda *_: due)
        set_apart(*given, **named)

    monkeypatch.setattr(renewal, "_set_apart", mended_first)
    acme.settle()
    assert acme.subscription(id_).hold_id is None
    assert acme.work_items() == []
    assert [each.status for each in acme.invoices()] == ["paid"]
    assert acme.violations() == ()


def test_two_subscriptions_of_one_customer_are_parted_when_one_is_bad(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "good")
    acme.subscribe("a1", "bad")
    _break(acme, "bad")
    acme.settle()
    assert len(acme.invoices()) == 1
    assert acme.subscription(acme.invoices()[0].subscription_id or acme.seller_id).code == "good"


def test_a_slice_that_started_before_is_halved_instead_of_dying_again_whole(acme: Company) -> None:
    for number in range(4):
        acme.customer(f"a{number}", method=None)
        acme.subscribe(f"a{number}", f"s{number}")
    renewal.plan(acme.parts)
    acme.line.messages.clear()
    with acme.begin() as session:
        slice_id = session.scalars(select(Slice.id)).one()
    with acme.parts.begin() as session:
        # A worker took it and died: its lease is over.
        assert claim(session, slice_id=slice_id, lease_s=-1) is not None
    assert renewal.bill(acme.parts, slice_id) == 0
    with acme.begin() as session:
        states = sorted(session.scalars(select(Slice.status)))
    assert states == ["pending", "pending", "split"]
    acme.settle()
    assert len(acme.invoices()) == 4


def _meets_a_lock(acme: Company, monkeypatch: pytest.MonkeyPatch, slice_id: UUID, *, times: int) -> None:
    def timed_out(*_: object, **__: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("canceling statement due to lock timeout"))

    with monkeypatch.context() as patched:
        patched.setattr(renewal, "bill_profiles", timed_out)
        for _ in range(times):
            with pytest.raises(OperationalError):
                renewal.bill(acme.parts, slice_id)


def test_a_slice_that_is_given_back_uses_up_no_start_of_its_subscription(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    (waiting,) = _slices(acme)
    _meets_a_lock(acme, monkeypatch, waiting.id, times=STARTS_ALONE + 1)
    (waiting,) = _slices(acme)
    assert (waiting.tries, waiting.token) == (0, STARTS_ALONE + 1)
    assert renewal.bill(acme.parts, waiting.id) == 1
    assert acme.work_items() == []


def test_a_slice_of_many_that_is_given_back_is_halved_in_case_it_takes_too_long(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        acme.customer(f"a{number}")
        acme.subscribe(f"a{number}", f"s{number}")
    renewal.plan(acme.parts)
    (whole,) = _slices(acme)
    _meets_a_lock(acme, monkeypatch, whole.id, times=1)
    assert renewal.bill(acme.parts, whole.id) == 0
    assert sorted((each.status, len(each.member_ids)) for each in _slices(acme)) == [
        ("pending", 1),
        ("pending", 1),
        ("split", 2),
    ]


def _slices(acme: Company) -> list[Slice]:
    with acme.begin() as session:
        return list(session.scalars(select(Slice).where(Slice.kind == "renewals").order_by(Slice.id)))


def test_a_slice_runs_once_however_often_its_message_arrives(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    ((_, (slice_id,)),) = list(acme.line.messages)
    acme.line.messages.extend([*acme.line.messages] * 20)
    acme.run_messages()
    assert len(acme.invoices()) == 1
    assert slice_id


def test_planning_again_while_slices_wait_cuts_nothing_twice(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    assert renewal.plan(acme.parts) == 1
    assert renewal.plan(acme.parts) == 0


def test_a_cancellation_at_the_period_end_ends_there_and_bills_nothing_after(acme: Company) -> None:
    acme.customer("a1")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET cancel_at = current_period_end WHERE id = :id"), {"id": subscription}
        )
    acme.set_clock(START + timedelta(days=100))
    acme.settle()
    ended = acme.subscription(subscription)
    assert (ended.status, ended.ended_at, ended.next_due_at) == ("canceled", datetime(2026, 2, 28, tzinfo=UTC), None)
    assert len(acme.invoices()) == 1


def test_a_clock_that_was_put_back_dates_no_document_before_the_one_of_the_number_before(acme: Company) -> None:
    for name in ("a1", "a2"):
        acme.customer(name)
        acme.subscribe(name, f"{name}-basic")
        acme.settle()
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.series SET last_issued_at = last_issued_at + interval '1 hour'"))
    first, second = acme.invoices()
    assert second.issued_at == first.issued_at + timedelta(hours=1)
