"""Subscribing answers with the first invoice; what is refused leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from billing.flows.subscribing import subscribe
from billing.kernel.errors import Refused
from billing.models import Subscription
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company


def _new(code: str = "s1", *, account: str = "a1", start: datetime = START, quantity: int = 1) -> NewSubscription:
    return NewSubscription(code=code, account_id=account, items=(NewItem("basic", quantity),), start=start)


def test_subscribing_answers_with_the_open_invoice_and_the_charge_follows(acme: Company) -> None:
    acme.customer("a1")
    subscribed = subscribe(acme.parts, seller_id=acme.seller_id, new=_new())
    (invoice,) = acme.invoices()
    assert [issued.number for issued in subscribed.invoices] == [invoice.number] == ["ACME-000001"]
    assert invoice.status == "open"
    acme.settle()
    assert acme.invoices()[0].status == "paid"


def test_a_subscription_that_begins_later_is_billed_then(acme: Company) -> None:
    acme.customer("a1")
    start = datetime(2026, 2, 10, tzinfo=UTC)
    assert subscribe(acme.parts, seller_id=acme.seller_id, new=_new(start=start)).invoices == ()
    acme.set_clock(start)
    acme.settle()
    assert acme.invoices()[0].period_start == start


def test_other_subscriptions_of_the_customer_are_left_to_their_slice(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "older")
    assert len(subscribe(acme.parts, seller_id=acme.seller_id, new=_new("newer")).invoices) == 1
    acme.settle()
    assert len(acme.invoices()) == 2


def test_what_is_refused_names_every_fault_and_leaves_nothing(acme: Company) -> None:
    with pytest.raises(Refused):
        subscribe(acme.parts, seller_id=acme.seller_id, new=_new(account="nobody", quantity=0))
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0


def test_periods_before_1970_that_begin_within_a_second_are_read_as_they_were_frozen(acme: Company) -> None:
    acme.customer("a1")
    start = datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)
    subscribe(acme.parts, seller_id=acme.seller_id, new=_new(start=start))
    assert acme.invoices()[0].period_start == start
    assert [each.code for each in acme.violations()] == ["R6"], (
        "it is due since then; what was frozen is read as it was"
    )
