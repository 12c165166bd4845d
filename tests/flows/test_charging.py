"""Charging once: an invoice of one line that no subscription owes, issued at once and collected like any other."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.commands.credit.grant import grant_credit
from billing.commands.invoice.issue import Issued
from billing.commands.tax_rate.put import put_tax_rate
from billing.commands.work_item.raise_item import raise_item
from billing.flows.charging import charge_once
from billing.kernel.errors import Refused
from billing.models import Profile
from billing.queue.names import COLLECTIONS_CHARGE
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.company import START, Company


def _charge(acme: Company, profile_id: UUID, amount_minor: int = 1000, **given: Any) -> Issued:
    known = {"currency": "eur", "description": "Extra work"}
    with acme.parts.begin() as session:
        return charge_once(acme.parts, session, profile_id, amount_minor=amount_minor, **known | given)


def _charges_sent(acme: Company) -> int:
    return sum(task == COLLECTIONS_CHARGE for task, _ in acme.line.messages)


def _refusal(acme: Company, profile_id: UUID, amount_minor: int = 1000, **given: Any) -> list[str]:
    with pytest.raises(Refused) as refusal:
        _charge(acme, profile_id, amount_minor, **given)
    assert acme.invoices() == []
    assert _charges_sent(acme) == 0
    return [fault.code for fault in refusal.value.faults]


def test_one_line_with_the_standard_rate_is_issued_and_charged_after_commit(acme: Company) -> None:
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        issued = charge_once(
            acme.parts, session, profile, amount_minor=1234, currency="eur", description="Extra \\ “work”"
        )
        assert _charges_sent(acme) == 0
    assert _charges_sent(acme) == 1
    (invoice,) = acme.invoices()
    assert (issued.id, issued.number, issued.due) == (invoice.id, "ACME-000001", True)
    assert (invoice.subtotal_minor, invoice.discount_minor, invoice.tax_minor) == (1234, 0, 234)
    assert (invoice.total_minor, invoice.amount_due_minor) == (1468, 1468)
    assert (invoice.subscription_id, invoice.period_start, invoice.due_at, invoice.status) == (None, None, None, "open")
    (line,) = acme.lines(invoice)
    assert (line.kind, line.description, line.quantity, line.amount_minor) == (
        "one_off", "Extra \\ “work”", 1, 1234,
    )  # fmt: skip
    assert (line.price_id, line.period_start, line.period_end) == (None, None, None)
    acme.settle()
    assert acme.invoices()[0].status == "paid"
    assert [charge.amount_minor for charge in acme.witness.charges()] == [1468]
    assert [topic for topic, _ in acme.told("invoice.issued", "invoice.paid")] == ["invoice.issued", "invoice.paid"]
    assert acme.violations() == ()


@pytest.mark.parametrize(
    ("name", "country", "totals"),
    [
        ("standard", "DE", (1000, 190, 1190)),
        ("standard", "FR", (1000, 200, 1200)),
        ("standard", "US", (1000, 0, 1000)),
        ("inside", "DE", (1000, 160, 1000)),
        (None, "DE", (1000, 0, 1000)),
    ],
)
def test_it_is_taxed_as_any_sale(acme: Company, name: str | None, country: str, totals: tuple[int, int, int]) -> None:
    with acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=NewTaxRate("inside", Decimal(19), inclusive=True))
    _charge(acme, acme.customer("a1", country=country), tax_rate=name)
    (invoice,) = acme.invoices()
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == totals
    acme.settle()
    assert acme.violations() == ()


def test_credit_in_store_is_used_and_what_costs_nothing_is_paid_at_once(acme: Company) -> None:
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=1500, currency="eur", now=START)
    _charge(acme, profile)
    _charge(acme, profile)
    _charge(acme, profile, 0)
    acme.settle()
    assert [(each.status, each.credit_applied_minor, each.amount_due_minor) for each in acme.invoices()] == [
        ("paid", 1190, 0),
        ("paid", 310, 880),
        ("paid", 0, 0),
    ]
    assert acme.credit(profile) == 0
    assert [charge.amount_minor for charge in acme.witness.charges()] == [880]
    assert acme.violations() == ()


def test_a_coupon_of_a_subscription_does_not_make_it_cheaper(acme: Company) -> None:
    acme.coupon("half", 50, duration="forever")
    profile = acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic"), coupon_code="half")
    _charge(acme, profile)
    assert [each.discount_minor for each in acme.invoices()] == [500, 0]


def test_a_decline_is_tried_again_and_ends_without_touching_a_subscription(acme: Company) -> None:
    profile = acme.customer("a1")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    acme.give_method(profile, "pm_card_chargeCustomerFail")
    _charge(acme, profile)
    acme.settle()
    for days in (3, 8, 15):
        acme.set_clock(START + timedelta(days=days))
        acme.settle()
    invoice = acme.invoices()[1]
    assert [payment.status for payment in acme.payments(invoice)] == ["declined"] * 4
    assert (invoice.status, invoice.next_attempt_at) == ("open", None)
    assert acme.subscription(subscription).status == "active"
    acme.give_method(profile, "pm_card_mastercard")
    acme.settle()
    assert acme.invoices()[1].status == "paid"
    assert acme.violations() == ()


def test_values_that_are_none_are_refused_all_at_once(acme: Company) -> None:
    profile = acme.customer("a1")
    assert len(_refusal(acme, profile, -1, currency="xxx", description="")) == 3
    assert _refusal(acme, profile, 10**15 + 1) == ["out_of_range"]
    assert _refusal(acme, profile, tax_rate="none") == ["tax_rate_not_found"]


def test_who_is_unknown_or_on_hold_is_not_charged(acme: Company) -> None:
    assert _refusal(acme, uuid4()) == ["profile_not_found"]
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        row = session.get_one(Profile, profile)
        item = raise_item(
            session,
            kind="profile_held",
            subject_type="profile",
            subject_id=profile,
            seller_id=row.seller_id,
            summary="A person is to look at it.",
            safe_actions=["park"],
            now=START,
        )
        row.hold_id = item.id
    assert _refusal(acme, profile) == ["profile_on_hold"]


def test_a_refusal_of_the_caller_takes_it_back_with_its_number(acme: Company) -> None:
    profile = acme.customer("a1")
    with acme.parts.sessions() as session:
        charge_once(acme.parts, session, profile, amount_minor=1, currency="eur", description="x")
        session.rollback()
    assert (acme.invoices(), _charges_sent(acme)) == ([], 0)
    assert _charge(acme, profile).number == "ACME-000001"
