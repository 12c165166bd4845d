"""Two accounts at Stripe: whose method is charged is whose money it is, and what ails one is none of the other's."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from billing.flows import movements, reconciliation, refunding
from billing.models import Payment, ProviderAccount
from billing.queries.books.payout import payout_report
from tests.flows.company import START, Company

pytestmark = pytest.mark.usefixtures("two_accounts")


@pytest.fixture
def shop(acme: Company) -> Company:
    """The company through its account `shop`, whose events come by a door of their own, signed with its own secret."""
    asked = {"url": f"{acme.receiver}/webhooks/stripe/shop", "enabled_events[]": "*"}
    headers = {"Authorization": "Bearer sk_test_shop"}
    made = requests.post(f"{acme.witness_url}/v1/webhook_endpoints", data=asked, headers=headers, timeout=5).json()
    os.environ["STRIPE_WEBHOOK_SECRET__SHOP"] = made["secret"]
    with acme.begin() as session:
        return replace(acme, account_id=session.scalars(select(ProviderAccount.id).filter_by(code="shop")).one())


def _name(acme: Company) -> str:
    with acme.begin() as session:
        return session.get_one(ProviderAccount, acme.account_id).account_ref


def _attempts(acme: Company) -> list[tuple[UUID, str]]:
    return [(each.provider_account_id, each.status) for each in acme.payments()]


def test_who_changes_the_account_in_mid_dunning_is_charged_once_and_there(acme: Company, shop: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    shop.give_method(profile, "pm_card_visa")
    acme.set_clock(START + timedelta(days=4))
    acme.settle()
    assert _attempts(acme) == [(acme.account_id, "declined"), (shop.account_id, "succeeded")]
    intents = [(each.account_ref, each.status) for each in acme.witness.intents()]
    assert intents == [(_name(acme), "canceled"), (_name(shop), "succeeded")]
    # Back again, and refunded where it was charged.
    acme.give_method(profile, "pm_card_visa")
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=119)
    acme.settle()
    (refund,) = acme.refunds()
    assert (refund.provider_account_id, refund.status) == (shop.account_id, "succeeded")
    assert [each.account_ref for each in acme.witness.refunds()] == [_name(shop)]
    assert acme.violations() == ()


def test_an_event_of_one_account_is_not_taken_at_the_others_door(acme: Company, shop: Company) -> None:
    shop.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.begin() as session:
        stored = session.scalars(select(Payment.provider_account_id)).all()
    assert stored == [shop.account_id]
    (event,) = [each for each in acme.heard if b"payment_intent.succeeded" in each]
    line, _, body = event.partition(b"\n")
    assert line.startswith(b"POST /webhooks/stripe/shop")
    assert [_deliver(acme, door, body) for door in ("/shop", "")] == [200, 400]


def _deliver(acme: Company, door: str, body: bytes) -> int:
    """Once more, signed with the secret of `shop`."""
    stamp, secret = int(time.time()), os.environ["STRIPE_WEBHOOK_SECRET__SHOP"]
    digest = hmac.new(secret.encode(), b"%d.%b" % (stamp, body), hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={stamp},v1={digest}", "Content-Type": "application/json"}
    url = f"{acme.receiver}/webhooks/stripe{door}"
    return requests.post(url, data=body, headers=headers, timeout=5).status_code


@pytest.mark.parametrize("kind", ["error_500_before", "disconnect_after", "rate_limit"])
def test_while_one_account_is_away_the_other_charges_and_is_read_and_compared(
    acme: Company, shop: Company, kind: str
) -> None:
    for number in range(12):
        (acme if number % 2 else shop).customer(f"a{number}")
        acme.subscribe(f"a{number}", f"s{number}")
    acme.witness.add_faults({"kind": kind, "rate": 1.0, "path": "/v1/", "account": _name(shop)})
    for _ in range(3):
        acme.sweep()
    paid = [account for account, status in _attempts(acme) if status == "succeeded"]
    assert paid == [acme.account_id] * 6
    acme.witness.clear_faults()
    acme.settle(seconds=30)
    assert {each.status for each in acme.invoices()} == {"paid"}
    assert acme.violations() == ()


def test_each_account_pays_out_what_it_holds_and_is_compared_with_itself(acme: Company, shop: Company) -> None:
    acme.customer("a1")
    shop.customer("a2")
    for account in ("a1", "a2"):
        acme.subscribe(account, f"of-{account}")
    acme.settle()
    movements.sweep(acme.parts)
    refunding.refund(acme.parts, acme.invoices()[1].id, amount_minor=119)
    acme.settle()
    paid_out = {each["amount"]: each["id"] for each in acme.witness.call("POST", "payouts", {})}
    assert sorted(paid_out) == [1190 - 65 - 119, 1190 - 65]
    acme.set_clock(START + timedelta(days=1, hours=1))
    movements.sweep(acme.parts)
    acme.settle()
    with acme.begin() as session:
        reports = [payout_report(session, payout=paid_out[amount]) for amount in sorted(paid_out)]
    told = [[(row["type"], row["account_id"]) for row in each.rows] for each in reports]
    assert [sorted(each) for each in told] == [[("charge", "a2"), ("refund", "a2")], [("charge", "a1")]]
    assert not any(each.broken for each in reports)
    assert acme.account("provider_clearing") == 0
    compared = reconciliation.reconcile(acme.parts)
    assert {(each.account, each.charges, each.differences) for each in compared} == {("default", 1, 0), ("shop", 1, 0)}
