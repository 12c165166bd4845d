"""What lives hold of two accounts at Stripe can fail: each way in which one is taken for the other is found."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from sqlalchemy import text

from billing.flows import refunding
from billing.flows.charging import charge_once
from tests.flows.company import Company
from tests.flows.disputes import open_dispute
from tests.flows.life import Life
from tests.flows.life_of_accounts import KEY, astray, misheld, outage
from tests.flows.test_reports_of_a_life import begun

pytestmark = pytest.mark.usefixtures("two_accounts")


@pytest.fixture
def life(acme: Company) -> Life:
    """Somebody has paid, got something back, and disputes; the balance was read and paid out."""
    life = begun(acme, 1)
    life.calm()
    acme.customer("payer")
    acme.price("dear", 9000)
    acme.subscribe("payer", "of-payer", price="dear")
    life.go(timedelta(hours=1))
    paid = next(each for each in acme.invoices() if each.subscription_id is not None and each.status == "paid")
    refunding.refund(acme.parts, paid.id, amount_minor=100)
    life.go(timedelta(hours=1))
    open_dispute(acme, amount=200)
    assert (astray(life), misheld(life)) == ([], [])
    return life


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("payment", {"payment", "charge"}),
        ("refund", {"refund"}),
        ("dispute", {"dispute"}),
        ("payout", {"movement"}),
        ("provider_event", {"event"}),
    ],
)
def test_what_of_one_account_is_taken_for_the_others_is_found(life: Life, table: str, found: set[str]) -> None:
    # What is PayPal's has two others.
    other = (
        "SELECT id FROM billing.provider_account a WHERE a.provider = 'stripe' AND a.id <> t.provider_account_id"
        " ORDER BY a.id LIMIT 1"
    )
    _plant(life, f"UPDATE billing.{table} t SET provider_account_id = ({other})")
    assert found <= _kinds(astray(life))


def test_an_invoice_that_both_accounts_would_take_money_for_is_found(life: Life) -> None:
    life.acme.customer("poor", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    id_ = life.acme.subscribe("poor", "of-poor")
    life.acme.settle()
    (invoice,) = [each for each in life.acme.invoices() if each.subscription_id == id_]
    there = {"amount": "1190", "currency": "eur", "metadata[invoice_id]": str(invoice.id)}
    headers = {"Authorization": f"Bearer {os.environ[KEY]}"}
    requests.post(
        f"{life.acme.witness_url}/v1/payment_intents", data=there, headers=headers, timeout=5
    ).raise_for_status()
    assert astray(life) == [], "nobody is about to charge it"
    _plant(life, f"UPDATE billing.payment SET status = 'unknown', closed_at = NULL WHERE invoice_id = '{invoice.id}'")
    assert "payable" in _kinds(astray(life))


@pytest.mark.parametrize("sign", [1, -1])
def test_books_that_hold_a_cent_more_or_less_than_stripe_are_found(life: Life, sign: int) -> None:
    _plant(
        life,
        f"UPDATE billing.posting SET amount_minor = amount_minor + {sign} WHERE (entry_id, position) ="
        " (SELECT s.entry_id, s.position FROM billing.posting s JOIN billing.ledger_entry e ON e.id = s.entry_id"
        " WHERE s.account = 'provider_clearing' AND e.kind = 'payment' ORDER BY e.id LIMIT 1)",
    )
    assert "held" in _kinds(misheld(life))


def test_an_outage_in_which_nothing_is_tried_at_the_other_account_is_found(life: Life) -> None:
    """Its invoices stand in slices that somebody holds on to."""
    outage(life)
    for number, account in enumerate(life.stripes):
        profile = replace(life.acme, account_id=account).customer(f"of-{number}")
        with life.acme.parts.begin() as session:
            charge_once(life.acme.parts, session, profile, amount_minor=9000, currency="eur", description="A chair")
    held = "status = 'running', tries = 1, lease_until = clock_timestamp() + interval '1 day'"
    _plant(life, f"UPDATE billing.slice SET {held} WHERE kind = 'charges' AND status = 'pending'")
    with pytest.raises(AssertionError):
        outage(life)


def _kinds(told: list[object]) -> set[object]:
    return {each[0] for each in told if isinstance(each, tuple)}


def _plant(life: Life, statement: str) -> None:
    with life.acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        changed = session.execute(text(statement))
        assert changed.rowcount
