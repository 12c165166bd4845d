"""Changing a subscription: what is overdue is billed first, each order does one thing, a refusal leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import changing, renewal
from billing.flows.changing import Opened
from billing.flows.parts import Parts
from billing.kernel.errors import Refused, Stale
from billing.models import Invoice, Subscription
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company

HALF = START + timedelta(days=14)
"""Half of 31 January to 28 February."""
BOUNDARY = datetime(2026, 2, 28, tzinfo=UTC)

Act = Callable[[Parts, Session, UUID], Opened]


def _basic(quantity: int = 1) -> list[NewItem]:
    return [NewItem("basic", quantity)]


def _change(quantity: int = 3, **given: Any) -> Act:
    return lambda parts, session, id_: changing.change(parts, session, id_, items=_basic(quantity), **given)


def _cancel(when: CancelWhen = CancelWhen.NOW, **given: Any) -> Act:
    return lambda parts, session, id_: changing.cancel(parts, session, id_, when=when, **given)


def _coupon(code: str = "half", **given: Any) -> Act:
    return lambda parts, session, id_: changing.apply_coupon(parts, session, id_, coupon_code=code, **given)


UNCANCEL: Act = changing.uncancel
PAUSE: Act = changing.pause
RESUME: Act = changing.resume
EVERY = {
    "change": _change(),
    "cancel": _cancel(),
    "uncancel": UNCANCEL,
    "pause": PAUSE,
    "resume": RESUME,
    "coupon": _coupon(),
}


def _do(acme: Company, id_: UUID, act: Act) -> Opened:
    with acme.parts.begin() as session:
        return act(acme.parts, session, id_)


def _refusal(acme: Company, id_: UUID, act: Act) -> str:
    """The code of the refusal, after which nothing is different."""
    before = _standing(acme)
    with pytest.raises(Refused) as refusal:
        _do(acme, id_, act)
    assert _standing(acme) == before
    return refusal.value.code


def _standing(acme: Company) -> list[tuple[Any, ...]]:
    """Everything that a change could leave behind."""
    query = """
        SELECT (SELECT array_agg((id, version, status, next_due_at) ORDER BY id)::text FROM billing.subscription),
               (SELECT count(*) FROM billing.invoice), (SELECT count(*) FROM billing.outbox),
               (SELECT count(*) FROM billing.waiting_line), (SELECT count(*) FROM billing.ledger_entry)"""
    with acme.begin() as session:
        return [tuple(row) for row in session.execute(text(query))]


def _charges(acme: Company, invoice: Invoice) -> list[tuple[str, int]]:
    return [(line.kind, line.amount_minor) for line in acme.lines(invoice)]


@pytest.fixture
def s1(acme: Company) -> UUID:
    """Two of `basic`, paid from 31 January, at half of the first period."""
    acme.coupon("half", 50, duration="forever")
    acme.customer("a1")
    id_ = acme.subscribe("a1", "s1", quantity=2)
    acme.settle()
    acme.set_clock(HALF)
    return id_


def test_a_change_waits_for_the_next_invoice(acme: Company, s1: UUID) -> None:
    assert _do(acme, s1, _change(3)).issued == []
    assert acme.subscription(s1).status == "active"
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _charges(acme, acme.invoices()[-1]) == [
        ("proration_credit", -1000),
        ("proration_charge", 1500),
        ("recurring", 3000),
    ]
    assert acme.violations() == ()


def test_a_change_that_is_invoiced_now_is_charged_after_commit(acme: Company, s1: UUID) -> None:
    opened = _do(acme, s1, _change(3, proration=Proration.INVOICE_NOW))
    invoice = acme.invoices()[-1]
    assert [issued.id for issued in opened.issued] == [invoice.id]
    assert (invoice.status, invoice.total_minor) == ("open", 595)
    acme.run_messages()
    assert acme.invoices()[-1].status == "paid"
    assert acme.violations() == ()


def test_a_change_without_proration_writes_no_line(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _change(3, proration=Proration.NONE))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _charges(acme, acme.invoices()[-1]) == [("recurring", 3000)]


def test_a_change_at_the_periods_end_holds_from_there(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _change(5, when=ChangeWhen.PERIOD_END))
    _do(acme, s1, _change(1, when=ChangeWhen.PERIOD_END))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert _charges(acme, acme.invoices()[-1]) == [("recurring", 1000)]


def test_another_interval_begins_a_new_period_at_once(acme: Company, s1: UUID) -> None:
    acme.price("yearly", 10_000, interval_unit="year")
    _do(acme, s1, lambda parts, session, id_: changing.change(parts, session, id_, items=[NewItem("yearly")]))
    invoice = acme.invoices()[-1]
    assert _charges(acme, invoice) == [("proration_credit", -1000), ("recurring", 10_000)]
    assert (invoice.period_start, invoice.period_end) == (HALF, HALF.replace(year=2027))
    assert acme.subscription(s1).next_due_at == HALF.replace(year=2027)
    acme.settle()
    assert acme.violations() == ()


def test_a_change_of_a_trial_only_changes_the_items(acme: Company) -> None:
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", *_basic(), trial_days=10)
    _do(acme, id_, _change(4))
    assert acme.invoices() == []
    acme.set_clock(START + timedelta(days=10))
    acme.settle()
    assert _charges(acme, acme.invoices()[0]) == [("recurring", 4000)]


def test_a_cancel_now_ends_it_with_a_last_invoice_of_what_waits(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _change(3))
    opened = _do(acme, s1, _cancel())
    last, ended = acme.invoices()[-1], acme.subscription(s1)
    assert [issued.id for issued in opened.issued] == [last.id]
    assert _charges(acme, last) == [("proration_credit", -1000), ("proration_charge", 1500)]
    assert (last.period_start, last.period_end) == (START, HALF)
    assert (ended.status, ended.ended_at, ended.next_due_at, ended.current_period_end) == ("canceled", HALF, None, HALF)
    acme.settle()
    assert acme.violations() == ()


def test_a_cancel_now_may_give_back_what_is_unused(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _cancel(prorate=True))
    note = acme.invoices()[-1]
    assert (note.kind, note.status, note.total_minor) == ("credit_note", "credited", 1190)
    assert _charges(acme, note) == [("proration_credit", 1000)]
    assert acme.credit(acme.subscription(s1).profile_id) == 1190
    assert acme.violations() == ()


def test_a_cancel_at_the_periods_end_can_be_taken_back(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _cancel(CancelWhen.PERIOD_END))
    assert (acme.subscription(s1).status, acme.subscription(s1).cancel_at) == ("active", BOUNDARY)
    _do(acme, s1, UNCANCEL)
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert (acme.subscription(s1).status, len(acme.invoices())) == ("active", 2)


def test_a_cancel_at_the_periods_end_ends_it_there_without_another_invoice(acme: Company, s1: UUID) -> None:
    _do(acme, s1, _cancel(CancelWhen.PERIOD_END))
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert (acme.subscription(s1).status, acme.subscription(s1).ended_at) == ("canceled", BOUNDARY)
    assert len(acme.invoices()) == 1


def test_in_a_pause_boundaries_pass_and_billing_goes_on_after_it(acme: Company, s1: UUID) -> None:
    _do(acme, s1, PAUSE)
    acme.set_clock(BOUNDARY)
    acme.settle()
    assert (acme.subscription(s1).status, len(acme.invoices())) == ("paused", 1)
    acme.set_clock(BOUNDARY + timedelta(days=1))
    _do(acme, s1, RESUME)
    acme.set_clock(datetime(2026, 3, 31, tzinfo=UTC))
    acme.settle()
    assert (acme.subscription(s1).status, len(acme.invoices())) == ("active", 2)
    assert acme.violations() == ()


def test_after_a_pause_it_is_past_due_while_a_failed_invoice_is_open(acme: Company) -> None:
    acme.customer("a1", method="pm_card_chargeCustomerFail")
    id_ = acme.subscribe("a1", "s1")
    acme.settle()
    _do(acme, id_, PAUSE)
    _do(acme, id_, RESUME)
    assert acme.subscription(id_).status == "past_due"


def test_a_coupon_takes_the_place_of_another_and_counts_anew(acme: Company, s1: UUID) -> None:
    acme.coupon("tenth", 10)
    _do(acme, s1, _coupon("tenth"))
    acme.set_clock(BOUNDARY)
    acme.settle()
    _do(acme, s1, _coupon("half"))
    acme.set_clock(datetime(2026, 3, 31, tzinfo=UTC))
    acme.settle()
    assert [invoice.discount_minor for invoice in acme.invoices()] == [0, 200, 1000]


OVERDUE = {**EVERY, "uncancel": _cancel(CancelWhen.PERIOD_END), "resume": PAUSE}


@pytest.mark.parametrize("act", OVERDUE.values(), ids=OVERDUE.keys())
def test_what_is_overdue_is_billed_first_in_the_same_transaction(acme: Company, s1: UUID, act: Act) -> None:
    acme.set_clock(BOUNDARY + timedelta(hours=1))
    opened = _do(acme, s1, act)
    invoice = acme.invoices()[1]
    assert opened.issued[0].id == invoice.id
    assert (invoice.period_start, _charges(acme, invoice)) == (BOUNDARY, [("recurring", 2000)])


def test_what_was_billed_first_is_undone_with_a_refusal(acme: Company, s1: UUID) -> None:
    acme.set_clock(BOUNDARY)
    assert _refusal(acme, s1, RESUME) == "not_paused"
    assert len(acme.invoices()) == 1
    assert acme.line.messages == type(acme.line.messages)()


def test_a_charge_is_handed_on_only_after_commit(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        _change(3, proration=Proration.INVOICE_NOW)(acme.parts, session, s1)
        assert not acme.line.messages
    assert [task.name for task, _ in acme.line.messages] == ["collections.charge"]


@pytest.mark.parametrize("act", EVERY.values(), ids=EVERY.keys())
def test_nothing_is_done_to_what_is_over_on_hold_unknown_or_newer(acme: Company, s1: UUID, act: Act) -> None:
    assert _refusal(acme, uuid4(), act) == "subscription_not_found"
    _do(acme, s1, _cancel())
    assert _refusal(acme, s1, act) == "subscription_canceled"


@pytest.mark.parametrize("act", EVERY.values(), ids=EVERY.keys())
def test_what_is_due_and_on_hold_waits_for_a_person(acme: Company, s1: UUID, act: Act) -> None:
    acme.set_clock(BOUNDARY)
    with acme.parts.begin() as session:
        row = session.get_one(Subscription, s1)
        renewal.hold(session, row, error="a fault", trace=None, now=BOUNDARY)
    assert _refusal(acme, s1, act) == "subscription_on_hold"


def test_on_hold_before_anything_is_due_its_items_are_left_alone_too(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        renewal.hold(session, session.get_one(Subscription, s1), error="a fault", trace=None, now=HALF)
    assert _refusal(acme, s1, _change()) == "subscription_on_hold"


VERSIONED: dict[str, Callable[[int], Act]] = {
    "change": lambda version: _change(expected_version=version),
    "cancel": lambda version: _cancel(expected_version=version),
    "uncancel": lambda version: lambda *of: changing.uncancel(*of, expected_version=version),
    "pause": lambda version: lambda *of: changing.pause(*of, expected_version=version),
    "resume": lambda version: lambda *of: changing.resume(*of, expected_version=version),
    "coupon": lambda version: _coupon(expected_version=version),
}


@pytest.mark.parametrize("act", VERSIONED.values(), ids=VERSIONED.keys())
def test_who_saw_another_version_is_stale(acme: Company, s1: UUID, act: Callable[[int], Act]) -> None:
    before = _standing(acme)
    with pytest.raises(Stale):
        _do(acme, s1, act(acme.subscription(s1).version + 1))
    assert _standing(acme) == before


def test_who_saw_the_present_version_is_served_though_something_is_overdue(acme: Company, s1: UUID) -> None:
    seen = acme.subscription(s1).version
    acme.set_clock(BOUNDARY)
    assert len(_do(acme, s1, _change(3, expected_version=seen)).issued) == 1


def test_more_than_is_billed_at_once_is_refused(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(catch_up_limit=2)) as acme:
        acme.customer("a1")
        id_ = acme.subscribe("a1", "s1")
        acme.settle()
        acme.set_clock(datetime(2026, 6, 15, tzinfo=UTC))
        assert _refusal(acme, id_, _change()) == "renewal_due"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ((), "no_items"),
        ((NewItem("nothing"),), "price_not_found"),
        ((NewItem("basic"), NewItem("basic", 2)), "price_twice"),
        ((NewItem("once"),), "nothing_recurs"),
        ((NewItem("calls", 5),), "quantity_of_metered"),
        ((NewItem("basic"), NewItem("yearly")), "intervals_differ"),
        ((NewItem("basic"), NewItem("dollar")), "currencies_differ"),
        ((NewItem("dollar"),), "currency_changed"),
    ],
)
def test_items_that_do_not_fit_are_refused(acme: Company, s1: UUID, items: tuple[NewItem, ...], code: str) -> None:
    acme.price("once", 500, interval_unit=None)
    acme.price("calls", 2, usage="sum")
    acme.price("yearly", 10_000, interval_unit="year")
    acme.price("dollar", 1000, currency="usd")
    act: Act = lambda parts, session, id_: changing.change(parts, session, id_, items=items)  # noqa: E731
    assert _refusal(acme, s1, act) == code


def test_a_state_that_forbids_it_is_refused(acme: Company, s1: UUID) -> None:
    assert _refusal(acme, s1, UNCANCEL) == "not_canceling"
    assert _refusal(acme, s1, RESUME) == "not_paused"
    assert _refusal(acme, s1, _coupon("none")) == "coupon_not_found"
    acme.coupon("dollars", amount_minor=100, currency="usd")
    assert _refusal(acme, s1, _coupon("dollars")) == "coupon_of_another_currency"
    _do(acme, s1, PAUSE)
    assert _refusal(acme, s1, PAUSE) == "already_paused"
    assert _refusal(acme, s1, _change()) == "subscription_paused"


def test_a_trial_is_not_paused(acme: Company) -> None:
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", *_basic(), trial_days=10)
    assert _refusal(acme, id_, PAUSE) == "not_active"


def test_the_host_is_told_of_each_change_and_of_each_document(acme: Company, s1: UUID) -> None:
    before = len(acme.told())
    for act in (_change(3), _coupon(), PAUSE, RESUME, _cancel(CancelWhen.PERIOD_END), UNCANCEL, _cancel(prorate=True)):
        _do(acme, s1, act)
    told = acme.told()[before:]
    assert [topic for topic, _ in told] == [
        *(["subscription.updated"] * 6),
        "subscription.canceled",
        "credit_note.issued",
    ]
    assert [
        {key: value for key, value in payload.items() if key != "profile_id"}
        for topic, payload in told
        if topic == "subscription.updated"
    ] == [
        {"changes_at": "now"},
        {"coupon": "half"},
        {"status": "paused"},
        {"status": "active"},
        {"cancel_at": "2026-02-28T00:00:00Z"},
        {"cancel_at": None},
    ]
    documents = {str(invoice.id): invoice for invoice in acme.invoices()}
    for topic, payload in told:
        if topic.endswith(".issued"):
            document = documents[payload["invoice_id"]]
            assert (payload["total_minor"], payload["amount_due_minor"], payload["currency"]) == (
                document.total_minor, document.amount_due_minor, "eur",
            )  # fmt: skip
