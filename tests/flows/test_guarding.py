"""Guards: what is out of the ordinary is held as drafts with one work item, and a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows import changing, drafts, operating_drafts, renewal, working
from billing.flows.order import Order
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.models import BillingPeriod, Invoice, IssuedDay, Subscription, WaitingLine, WorkItem
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company

WHY = Order(actor="ada", reason="looked at")
LATER = START + timedelta(days=125)
"""After four missed boundaries."""


@pytest.fixture
def guarded(database_url: str) -> Iterator[Company]:
    policy = SellerPolicy(guard_volume=2, guard_amount=3, guard_catch_up=3)
    with company(database_url, policy=policy) as fresh:
        yield fresh


def _behind(acme: Company) -> None:
    """One customer has paid the first month; then nothing is billed for four."""
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(LATER)
    acme.settle()


def held_item(acme: Company) -> WorkItem:
    """The one open item."""
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    return item


def decide(acme: Company, action: Action) -> str:
    """Act on it, and let what follows happen. Returns what was told."""
    told = working.act(acme.parts, held_item(acme).id, action=action, order=WHY).told
    drafts.sweep(acme.parts)
    acme.settle()
    return told


def held_drafts(acme: Company) -> list[Invoice]:
    """Those that are drafts still."""
    return [invoice for invoice in acme.invoices() if invoice.status == "draft"]


def _dispositions(acme: Company) -> list[str]:
    with acme.begin() as session:
        return list(session.scalars(select(BillingPeriod.disposition).order_by(BillingPeriod.period_no)))


def test_a_long_catch_up_is_held_and_nothing_of_it_is_issued_or_charged(guarded: Company) -> None:
    _behind(guarded)
    assert [invoice.status for invoice in guarded.invoices()] == ["paid", *["draft"] * 4]
    item = held_item(guarded)
    assert (item.kind, item.amount_minor, item.safe_actions) == (
        "invoice_guarded",
        4 * 1190,
        ["release", "merge", "skip", "discard", "park"],
    )
    assert "catches up with 4 periods" in str(item.error)
    assert guarded.violations() == ()


def test_released_they_are_issued_as_they_are(guarded: Company) -> None:
    _behind(guarded)
    assert decide(guarded, Action.RELEASE) == "4 drafts are released; the next sweep issues them"
    assert [invoice.status for invoice in guarded.invoices()] == ["paid"] * 5
    assert guarded.violations() == ()
    assert working.act(guarded.parts, guarded.work_items()[0].id, action=Action.RELEASE, order=WHY).changed is False


def test_released_they_are_issued_at_once_also_where_others_of_their_slice_are_reviewed(database_url: str) -> None:
    """They have been looked at: the hours of the others' review are none of theirs."""
    with company(database_url, policy=SellerPolicy(guard_catch_up=3, draft_review_h=360)) as acme:
        for account in ("a1", "a2"):
            acme.customer(account)
        acme.set_clock(START + timedelta(days=90))
        acme.subscribe("a1", "s1")
        acme.subscribe("a2", "s2", start=START + timedelta(days=90))
        acme.settle()
        assert len(held_drafts(acme)) == 4 + 1
        decide(acme, Action.RELEASE)
        assert [len(held_drafts(acme)), len(acme.invoices())] == [1, 5]
        assert acme.violations() == ()


def test_one_that_is_held_is_not_released_past_its_item(guarded: Company) -> None:
    _behind(guarded)
    draft = held_drafts(guarded)[0]
    with pytest.raises(Refused) as refused:
        operating_drafts.release(guarded.parts, draft.id, order=WHY)
    assert refused.value.code == "invoice_on_hold"
    assert str(held_item(guarded).id) in refused.value.faults[0].mend
    assert len(held_drafts(guarded)) == 4


def test_merged_they_are_one_document_over_all_their_periods(guarded: Company) -> None:
    _behind(guarded)
    decide(guarded, Action.MERGE)
    paid = [invoice for invoice in guarded.invoices() if invoice.status == "paid"]
    assert [invoice.total_minor for invoice in paid] == [1190, 4 * 1190]
    assert sum(invoice.status == "expired" for invoice in guarded.invoices()) == 3
    assert [line.position for line in guarded.lines(paid[1])] == [1, 2, 3, 4]
    starts = [line.period_start for line in guarded.lines(paid[1]) if line.period_start]
    assert starts == sorted(starts)
    assert paid[1].period_start == starts[0]
    assert guarded.violations() == ()


def test_skipped_the_missed_periods_are_recorded_and_only_the_running_one_is_billed(guarded: Company) -> None:
    _behind(guarded)
    decide(guarded, Action.SKIP)
    paid = [invoice for invoice in guarded.invoices() if invoice.status == "paid"]
    assert [invoice.total_minor for invoice in paid] == [1190, 1190]
    assert _dispositions(guarded) == ["billed", "skipped", "skipped", "skipped", "billed"]
    assert guarded.violations() == ()


def test_discarded_nothing_of_it_is_ever_billed(guarded: Company) -> None:
    _behind(guarded)
    decide(guarded, Action.DISCARD)
    assert [item.status for item in guarded.work_items()] == ["discarded"]
    assert _dispositions(guarded) == ["billed", *["skipped"] * 4]
    guarded.set_clock(LATER + timedelta(days=31))
    guarded.settle()
    assert [invoice.status for invoice in guarded.invoices() if invoice.number] == ["paid", "paid"]
    assert guarded.violations() == ()


def test_of_what_was_discarded_a_change_gives_nothing_back(guarded: Company) -> None:
    _behind(guarded)
    decide(guarded, Action.DISCARD)
    guarded.price("big", 30000)
    with guarded.parts.begin() as session:
        subscription_id = session.scalars(select(Subscription.id)).one()
        changing.change(guarded.parts, session, subscription_id, items=(NewItem("big"),))
    with guarded.begin() as session:
        assert session.scalars(select(WaitingLine.kind)).all() == []


def test_what_is_billed_while_a_person_decides_is_decided_with_it(guarded: Company) -> None:
    _behind(guarded)
    item, (profile_id,) = held_item(guarded), {each.profile_id for each in guarded.invoices()}
    guarded.set_clock(LATER + timedelta(days=31))
    _bill_while_released(guarded, profile_id, item)
    assert {draft.hold_id for draft in held_drafts(guarded)} == {None}
    drafts.sweep(guarded.parts)
    guarded.settle()
    assert [invoice.status for invoice in guarded.invoices()] == ["paid"] * 6
    assert guarded.violations() == ()


def test_whoever_is_billed_while_a_person_decides_about_the_day_is_decided_with_it(guarded: Company) -> None:
    _usual(guarded, documents=5)
    for number in range(11):
        guarded.customer(f"a{number}", method=None)
        guarded.subscribe(f"a{number}", f"s{number}")
    guarded.settle()
    late = guarded.customer("a-late", method=None)
    guarded.subscribe("a-late", "s-late")
    _bill_while_released(guarded, late, held_item(guarded))
    assert len(held_drafts(guarded)) == 12
    assert {draft.hold_id for draft in held_drafts(guarded)} == {None}


def _bill_while_released(acme: Company, profile_id: UUID, item: WorkItem) -> None:
    """A person releases what the item holds while the billing of this customer is not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with acme.parts.begin() as session:
            renewal.bill_profiles(acme.parts, session, profiles=[profile_id])
            decided = pool.submit(working.act, acme.parts, item.id, action=Action.RELEASE, order=WHY)
            acme.wait_for(lambda: decided.done() or _somebody_waits(acme))
        assert decided.result().changed


def _somebody_waits(acme: Company) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with acme.begin() as session:
        return int(session.execute(text(waiting)).scalar_one()) > 0


def test_a_document_far_above_the_customers_last_is_held_alone(guarded: Company) -> None:
    for name in ("1", "2"):
        guarded.customer(f"a{name}")
    first = guarded.subscribe("a1", "s1")
    guarded.subscribe("a2", "s2")
    guarded.settle()
    with guarded.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription_item SET quantity = 40 WHERE subscription_id = :id"), {"id": first}
        )
    guarded.set_clock(START + timedelta(days=31))
    guarded.settle()
    (draft,) = held_drafts(guarded)
    assert (draft.subscription_id, draft.total_minor) == (first, 40 * 1190)
    assert "the customer's last was of 11.90 EUR" in str(held_item(guarded).error)
    assert sum(invoice.status == "paid" for invoice in guarded.invoices()) == 3
    guarded.set_clock(START + timedelta(days=62))
    guarded.settle()
    assert len(held_drafts(guarded)) == 2, "what follows is held with it"
    assert len([item for item in guarded.work_items() if item.status == "open"]) == 1


def test_a_day_of_far_more_documents_than_its_weekday_is_held_as_a_whole_with_one_item(guarded: Company) -> None:
    _usual(guarded, documents=5)
    for number in range(11):
        guarded.customer(f"a{number}", method=None)
        guarded.subscribe(f"a{number}", f"s{number}")
    guarded.settle()
    assert len(held_drafts(guarded)) == 11
    item = held_item(guarded)
    assert (item.kind, "11 documents" in str(item.error)) == ("day_guarded", True)
    assert decide(guarded, Action.RELEASE).startswith("11 drafts")
    guarded.customer("a-late", method=None)
    guarded.subscribe("a-late", "s-late")
    guarded.settle()
    assert len(held_drafts(guarded)) == 0, "the day was let pass"
    assert sum(invoice.number is not None for invoice in guarded.invoices()) == 12
    assert _today(guarded) == {"eur": 12}, "what was released counts, too"


def test_a_day_in_two_currencies_is_compared_with_whole_days(guarded: Company) -> None:
    _usual(guarded, documents=6)
    _usual(guarded, documents=6, currency="usd")
    guarded.price("dollars", 1000, currency="usd")
    for number in range(13):
        guarded.customer(f"a{number}", method=None)
        guarded.subscribe(f"a{number}", f"s{number}", price="dollars" if number % 2 else "basic")
    guarded.settle()
    assert held_drafts(guarded) == []
    assert _today(guarded) == {"eur": 7, "usd": 6}


def test_a_currency_that_was_never_billed_is_no_way_past_the_count_of_the_day(guarded: Company) -> None:
    _usual(guarded, documents=5)
    guarded.price("dollars", 1000, currency="usd")
    _begin(guarded, 11, price="dollars")
    assert (_today(guarded), len(held_drafts(guarded))) == ({"usd": 10}, 1)
    assert "11 documents" in str(held_item(guarded).error)


def test_what_is_reviewed_counts_when_it_is_drafted(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(guard_volume=2, draft_review_h=24)) as acme:
        _usual(acme, documents=5)
        _begin(acme, 11)
        assert (_today(acme), len(held_drafts(acme))) == ({"eur": 10}, 11)
        assert [draft.hold_id for draft in held_drafts(acme) if draft.hold_id] == [held_item(acme).id]
        acme.set_clock(START + timedelta(hours=24))
        assert drafts.sweep(acme.parts) == 10
        assert _today(acme) == {}, "and once"


def test_a_first_payment_counts_when_its_draft_is_issued(guarded: Company) -> None:
    guarded.customer("a1")
    guarded.begin_subscription("a1", "s1", NewItem("basic", 1), first_payment=True)
    assert _today(guarded) == {}
    guarded.settle()
    assert _today(guarded) == {"eur": 1}


def _begin(acme: Company, count: int, *, price: str = "basic") -> None:
    """So many subscribe, one after the other; nobody can pay yet."""
    for number in range(count):
        acme.customer(f"a{number}", method=None)
        acme.begin_subscription(f"a{number}", f"s{number}", NewItem(price, 1))


def _today(acme: Company) -> dict[str, int]:
    """The documents counted today, by currency."""
    with acme.begin() as session:
        rows = session.scalars(select(IssuedDay).where(IssuedDay.day == acme.now().date()))
        return {row.currency: row.documents for row in rows}


def test_an_ordinary_day_is_counted_and_goes_through(guarded: Company) -> None:
    _usual(guarded, documents=20)
    guarded.customer("a1")
    guarded.begin_subscription("a1", "s1", NewItem("basic", 1))
    guarded.customer("a2")
    guarded.subscribe("a2", "s2")
    guarded.settle()
    assert [invoice.status for invoice in guarded.invoices()] == ["paid"] * 2
    with guarded.begin() as session:
        today = session.scalars(select(IssuedDay).where(IssuedDay.day == START.date())).one()
    assert (today.documents, today.amount_minor, today.currency) == (2, 2380, "eur")


def test_without_guards_nothing_is_held_or_counted(acme: Company) -> None:
    _behind(acme)
    assert [invoice.status for invoice in acme.invoices()] == ["paid"] * 5
    with acme.begin() as session:
        assert session.scalars(select(IssuedDay)).all() == []
        assert session.scalars(select(Subscription.status)).all() == ["active"]


def _usual(acme: Company, *, documents: int, currency: str = "eur") -> None:
    """So many were issued on this weekday in each of the last four weeks."""
    with acme.parts.begin() as session:
        for week in range(1, 5):
            day = (START - timedelta(days=7 * week)).date()
            session.add(
                IssuedDay(
                    seller_id=acme.seller_id,
                    day=day,
                    currency=currency,
                    documents=documents,
                    amount_minor=documents * 1190,
                )
            )


def test_a_first_payment_is_held_by_no_guard_and_nobody_is_told_that_it_is(guarded: Company) -> None:
    guarded.price("big", 50_000)
    guarded.customer("a1")
    guarded.subscribe("a1", "s1")
    guarded.settle()
    guarded.begin_subscription("a1", "s2", NewItem("big"), first_payment=True)
    guarded.settle()
    assert [(invoice.status, invoice.subtotal_minor) for invoice in guarded.invoices()] == [
        ("paid", 1000),
        ("paid", 50_000),
    ]
    assert guarded.work_items() == []
