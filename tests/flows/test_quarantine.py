"""Quarantine: a customer whose rows disagree is parked before the next charge; everybody else goes on."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import quarantine
from billing.models import Profile
from tests.flows.company import START, Company


@pytest.fixture
def two(acme: Company) -> tuple[UUID, UUID]:
    """Two customers with an open invoice each, to be tried again in three days."""
    ids = []
    for name in ("1", "2"):
        ids.append(acme.customer(f"a{name}", method="pm_card_visa_chargeDeclinedInsufficientFunds"))
        acme.subscribe(f"a{name}", f"s{name}")
    acme.settle()
    for id_ in ids:
        acme.give_method(id_, "pm_card_visa")
    return ids[0], ids[1]


def _break(acme: Company, statement: str, **values: object) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement), values)


def _held(acme: Company, profile_id: UUID) -> bool:
    with acme.begin() as session:
        return session.get_one(Profile, profile_id).hold_id is not None


def test_a_debt_that_the_books_do_not_confirm_is_not_charged_and_its_customer_is_parked(
    acme: Company, two: tuple[UUID, UUID]
) -> None:
    broken, sound = two
    _break(acme, "UPDATE billing.invoice SET amount_remaining_minor = 1000 WHERE profile_id = :id", id=broken)
    acme.settle_under_a_brake()
    assert (_held(acme, broken), _held(acme, sound)) == (True, False)
    by_customer = {invoice.profile_id: invoice.status for invoice in acme.invoices()}
    assert by_customer == {broken: "open", sound: "paid"}
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert (item.kind, item.profile_id, item.safe_actions) == ("customer_quarantined", broken, ["retry", "park"])
    assert "in the books 1190 eur are owed, by its row 1000" in str(item.error)


def test_what_the_audit_finds_parks_its_customer_before_the_next_period_is_billed(acme: Company) -> None:
    broken = acme.customer("a1")
    acme.customer("a2")
    for name in ("1", "2"):
        acme.subscribe(f"a{name}", f"s{name}")
    acme.settle()
    _break(
        acme,
        "UPDATE billing.billing_period SET ends_at = ends_at - interval '1 day' FROM billing.subscription s "
        "WHERE s.id = subscription_id AND s.profile_id = :id",
        id=broken,
    )
    found = [each for each in acme.violations() if each.code == "R1"]
    assert found
    assert quarantine.park_customers(acme.parts, found) == 1
    assert quarantine.park_customers(acme.parts, found) == 0
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    assert sum(invoice.profile_id == broken for invoice in acme.invoices()) == 1
    assert len(acme.invoices()) == 3


def test_what_is_only_late_parks_nobody(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=40))
    late = acme.violations()
    assert {each.code for each in late} == {"R1", "R6"}
    assert quarantine.park_customers(acme.parts, [each for each in late if each.code == "R6"]) == 0
