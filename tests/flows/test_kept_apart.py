"""Money that met no debt is kept apart: what its charge moved is booked, nothing else, and a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from billing.models import Invoice, PaymentIntent, UnappliedPayment
from tests.flows.company import Company, company

DASHBOARD = {"headers": {"Authorization": "Bearer sk_test_company"}, "timeout": 5}


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh


def declined(acme: Company) -> UUID:
    """A customer whose first try was declined, and whose intent somebody lowers to 5.00 in the dashboard."""
    profile = acme.customer("a1", method="pm_card_chargeDeclined")
    acme.subscribe("a1", "s1")
    acme.settle()
    (intent,) = acme.witness.intents()
    url = f"{acme.witness_url}/v1/payment_intents/{intent.intent_ref}"
    requests.post(url, data={"amount": "500"}, **DASHBOARD).raise_for_status()
    return profile


def kept(acme: Company) -> list[tuple[int, str, str]]:
    """What is kept apart: amount, currency, status."""
    with acme.begin() as session:
        rows = session.scalars(select(UnappliedPayment).order_by(UnappliedPayment.id)).all()
        return [(each.amount_minor, each.currency, each.status) for each in rows]


def intents(acme: Company) -> list[str]:
    """The states of all intents, in the order in which they were made."""
    with acme.begin() as session:
        return list(session.scalars(select(PaymentIntent.status).order_by(PaymentIntent.id)))


def invoice_of(acme: Company) -> Invoice:
    (invoice,) = acme.invoices()
    return invoice


def test_a_charge_of_another_amount_than_was_asked_for_pays_nothing_and_is_kept_apart(acme: Company) -> None:
    profile = declined(acme)
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    invoice = invoice_of(acme)
    assert [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"] == [500]
    assert (invoice.status, invoice.amount_paid_minor) == ("open", 0)
    assert (acme.account("provider_clearing"), acme.account("unapplied_payments")) == (500, -500)
    assert kept(acme) == [(500, "eur", "held")]
    assert [(each.status, each.reason) for each in acme.payments()][-1] == ("canceled", "charge_differs")
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert (item.kind, invoice.hold_id) == ("payment_unapplied", item.id)
    assert intents(acme) == ["spent"]
