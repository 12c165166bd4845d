"""What a wallet is told of the payments to come: one amount and one interval, or nothing."""

from __future__ import annotations

from dataclasses import astuple
from datetime import timedelta

from sqlalchemy import text

from billing.flows import links
from billing.flows.recurring import Recurring, recurring
from tests.flows.company import Company


def told(acme: Company, *codes: str, price: str = "basic") -> Recurring | None:
    """What is told of a customer with these subscriptions."""
    profile_id = acme.customer("one")
    for code in codes:
        acme.subscribe("one", code, price=price)
    acme.settle()
    with acme.parts.begin() as session:
        token = links.profile_link(acme.parts, session, profile_id).rpartition("/")[2]
    return recurring(acme.parts, token)


def test_one_subscription_is_told_by_its_next_invoice_with_tax(acme: Company) -> None:
    found = told(acme, "one-basic")
    assert found is not None
    assert astuple(found)[:3] == (1190, "month", 1)
    assert found.starts_at > acme.now()
    with acme.parts.begin() as session:
        link = links.document_link(acme.parts, session, acme.invoices()[0].id)
    assert recurring(acme.parts, link.rpartition("/")[2]) is None


def test_weeks_are_told_in_days_as_wallets_count_them(acme: Company) -> None:
    acme.price("weekly", 500, interval_unit="week", interval_count=2)
    found = told(acme, "one-weekly", price="weekly")
    assert found is not None
    assert (found.unit, found.count) == ("day", 14)
    assert found.starts_at == acme.now() + timedelta(days=14)


def test_where_there_is_no_single_amount_nothing_is_told(acme: Company) -> None:
    assert told(acme, "one-basic", "one-other") is None
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.subscription SET cancel_at = next_due_at WHERE code = 'one-other'"))
        profile_id = session.scalar(text("SELECT profile_id FROM billing.subscription LIMIT 1"))
        token = links.profile_link(acme.parts, session, profile_id).rpartition("/")[2]
    assert recurring(acme.parts, token) is not None
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.subscription SET cancel_at = next_due_at"))
    assert recurring(acme.parts, token) is None


def test_an_amount_that_the_form_would_read_in_another_unit_is_not_told(acme: Company) -> None:
    acme.price("yen", 500, currency="jpy")
    assert told(acme, "one-yen", price="yen") is None
