"""Subscriptions: planned, written, cancelled; never an ended period unbilled, never a boundary guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment_method.make_default import make_default as put_default
from billing.commands.subscription.cancel import CancelWhen, put_cancel, uncancel
from billing.commands.subscription.plan import plan_subscription
from billing.commands.subscription.subscribe import subscribe, write_subscriptions
from billing.kernel.errors import Refused
from billing.models import OutboxEvent, Profile, Seller, Subscription, SubscriptionItem
from billing.privacy.keyring import Keyring
from billing.queries.catalog import prices_by_code
from billing.queries.subscription import known_subscriptions
from billing.validators.subscription import NewItem, NewSubscription
from tests.commands.making import NOW, make_method, make_price, make_profile, make_provider_account, make_seller

START = datetime(2026, 3, 31, tzinfo=UTC)
NEW = NewSubscription(code="s1", account_id="acct-1", items=(NewItem("basic", 2),), start=START)


@pytest.fixture
def seller(session: Session, keyring: Keyring) -> Seller:
    seller = make_seller(session)
    make_price(session, seller)
    make_profile(session, keyring, seller)
    return seller


def test_a_subscription_is_active_at_once_and_due_at_its_start(session: Session, seller: Seller) -> None:
    made = subscribe(session, seller_id=seller.id, new=NEW, now=NOW)
    assert (made.status, made.anchor_at, made.next_due_at, made.next_period_no) == ("active", START, START, 0)
    assert (made.currency, made.interval_unit, made.timezone) == ("eur", "month", "UTC")
    item = session.scalars(select(SubscriptionItem)).one()
    assert (item.quantity, item.position) == (2, 1)
    assert "subscription.created" in session.scalars(select(OutboxEvent.topic)).all()


def test_who_moves_in_is_due_at_the_boundary_up_to_which_they_have_paid(session: Session, seller: Seller) -> None:
    anchor, paid = datetime(2025, 1, 31, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)
    made = subscribe(session, seller_id=seller.id, new=replace(NEW, start=anchor, paid_through=paid), now=NOW)
    assert (made.next_period_no, made.next_due_at, made.paid_through) == (15, paid, paid)


def test_paid_through_must_be_a_boundary(session: Session, seller: Seller) -> None:
    new = replace(NEW, paid_through=datetime(2026, 4, 15, tzinfo=UTC))
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=new, now=NOW)
    assert refusal.value.code == "paid_through_not_a_boundary"


@pytest.mark.parametrize("given", [{}, {"trial_days": 7}, {"anchor": timedelta(hours=1)}])
def test_a_start_from_which_too_much_would_be_billed_at_once_is_refused(
    session: Session, seller: Seller, given: dict[str, Any]
) -> None:
    make_price(session, seller, "daily", interval_unit="day")
    first = datetime(1000, 1, 1, tzinfo=UTC)
    if "anchor" in given:
        given = {"anchor": first + given["anchor"]}
    new = replace(NEW, items=(NewItem("daily"),), start=first, **given)
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=new, now=NOW)
    assert [(fault.field, fault.code) for fault in refusal.value.faults] == [("start", "start_too_early")]
    assert "at most 1000 are billed at once: give a later one" in refusal.value.faults[0].mend


def test_the_bound_counts_the_periods_that_are_to_bill(session: Session, seller: Seller) -> None:
    make_price(session, seller, "daily", interval_unit="day")
    daily = replace(NEW, items=(NewItem("daily"),), start=NOW - timedelta(days=1000))
    assert subscribe(session, seller_id=seller.id, new=daily, now=NOW).next_period_no == 0
    long_ago, paid = NOW - timedelta(days=9000), NOW - timedelta(days=1000)
    moved_in = replace(daily, code="s2", start=long_ago, paid_through=paid)
    assert subscribe(session, seller_id=seller.id, new=moved_in, now=NOW).next_period_no == 8000
    for change in ({"start": daily.start - timedelta(days=1)}, {"start": long_ago, "paid_through": long_ago}):
        with pytest.raises(Refused) as refusal:
            subscribe(session, seller_id=seller.id, new=replace(daily, code="s3", **change), now=NOW)
        assert (refusal.value.faults[0].field, refusal.value.code) == ([*change][-1], "start_too_early")


def test_of_many_each_whose_first_payment_takes_days_is_named(
    session: Session, keyring: Keyring, seller: Seller
) -> None:
    account = make_provider_account(session)
    profiles = {}
    for name, kind in (("a", "card"), ("b", "sepa_debit"), ("c", "us_bank_account")):
        profiles[name] = make_profile(session, keyring, seller, name).id
        method = make_method(session, session.get_one(Profile, profiles[name]), account, f"pm_{name}")
        method.kind = kind
        put_default(session, method_id=method.id, now=NOW)
    prices = prices_by_code(session, seller_id=seller.id)
    planned = [
        plan_subscription(
            replace(NEW, code=f"of-{name}", account_id=name, first_payment=True),
            profile_timezone="UTC",
            prices=prices,
            now=NOW,
        )
        for name in profiles
    ]
    with pytest.raises(Refused) as refusal:
        write_subscriptions(session, seller_id=seller.id, planned=planned, profiles=profiles, now=NOW)
    assert {fault.code for fault in refusal.value.faults} == {"first_payment_takes_days"}
    assert [fault.mend.partition(":")[0] for fault in refusal.value.faults] == ["of-b", "of-c"]


def test_what_is_missing_is_named(session: Session, seller: Seller) -> None:
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=replace(NEW, account_id="nobody"), now=NOW)
    assert refusal.value.code == "profile_not_found"
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=replace(NEW, items=(NewItem("x"), NewItem("y"))), now=NOW)
    assert [fault.field for fault in refusal.value.faults] == ["items.1.price", "items.2.price"]


def test_items_of_two_rhythms_are_refused(session: Session, seller: Seller) -> None:
    make_price(session, seller, "yearly", interval_unit="year", currency="usd")
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=replace(NEW, items=(NewItem("basic"), NewItem("yearly"))), now=NOW)
    assert [fault.code for fault in refusal.value.faults] == ["currencies_differ", "intervals_differ"]


def test_a_code_is_given_once(session: Session, seller: Seller) -> None:
    subscribe(session, seller_id=seller.id, new=NEW, now=NOW)
    with pytest.raises(Refused) as refusal:
        subscribe(session, seller_id=seller.id, new=NEW, now=NOW)
    assert refusal.value.code == "subscription_code_taken"


def test_what_was_subscribed_can_be_compared(session: Session, seller: Seller) -> None:
    subscribe(session, seller_id=seller.id, new=NEW, now=NOW)
    known = known_subscriptions(session, seller_id=seller.id, codes=["s1", "s2"])
    assert list(known) == ["s1"]
    assert known["s1"].items == (("basic", 2),)


def _subscribed(session: Session, seller: Seller, *, billed: int = 0) -> Subscription:
    """A subscription from 31 March whose first `billed` periods are billed, as the renewal leaves it."""
    made = subscribe(session, seller_id=seller.id, new=NEW, now=NOW)
    ends = (START, datetime(2026, 4, 30, tzinfo=UTC), datetime(2026, 5, 31, tzinfo=UTC))
    made.next_period_no, made.next_due_at = billed, ends[billed]
    if billed:
        made.current_period_start, made.current_period_end = ends[billed - 1], ends[billed]
    session.flush()
    return made


def test_cancelling_now_makes_it_due_at_once(session: Session, seller: Seller) -> None:
    made = _subscribed(session, seller, billed=1)
    now = datetime(2026, 4, 10, tzinfo=UTC)
    put_cancel(session, subscription=made, when=CancelWhen.NOW, now=now)
    assert (made.status, made.cancel_at, made.next_due_at) == ("active", now, now)


def test_cancelling_at_the_periods_end_leaves_it_due_there(session: Session, seller: Seller) -> None:
    made = _subscribed(session, seller, billed=1)
    now, end = datetime(2026, 4, 10, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)
    put_cancel(session, subscription=made, when=CancelWhen.PERIOD_END, now=now)
    assert (made.status, made.cancel_at, made.next_due_at) == ("active", end, end)
    version = made.version
    put_cancel(session, subscription=made, when=CancelWhen.PERIOD_END, now=now)
    assert made.version == version


def test_before_its_start_it_ends_without_a_document(session: Session, seller: Seller) -> None:
    made = _subscribed(session, seller)
    put_cancel(session, subscription=made, when=CancelWhen.PERIOD_END, now=NOW)
    assert made.cancel_at == START


def test_periods_that_are_overdue_are_still_billed_up_to_the_end_of_the_running_one(
    session: Session, seller: Seller
) -> None:
    made = _subscribed(session, seller, billed=1)
    put_cancel(session, subscription=made, when=CancelWhen.PERIOD_END, now=datetime(2026, 5, 10, tzinfo=UTC))
    assert (made.cancel_at, made.next_due_at) == (datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC))


def test_a_cancel_that_is_taken_back_leaves_it_as_it_was(session: Session, seller: Seller) -> None:
    made = _subscribed(session, seller, billed=1)
    now, end = datetime(2026, 4, 10, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)
    put_cancel(session, subscription=made, when=CancelWhen.PERIOD_END, now=now)
    uncancel(session, subscription=made, now=now)
    assert (made.status, made.cancel_at, made.next_due_at) == ("active", None, end)
    with pytest.raises(Refused) as refusal:
        uncancel(session, subscription=made, now=now)
    assert refusal.value.code == "not_canceling"
