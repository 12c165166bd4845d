"""Cards given through a wallet (Apple Pay, Google Pay, Link): cards in all that counts, and named by their wallet."""

from __future__ import annotations

import json

import requests
from sqlalchemy import text

from billing.kernel.status import InvoiceStatus
from billing.models import OutboxEvent, Payment, PaymentMethod
from billing.queries.operations.customers import show_profile
from tests.flows.company import Company

FUNDS = "pm_sandbox_applePay_chargeDeclinedInsufficientFunds"


def test_a_wallets_card_is_charged_while_nobody_is_there_and_declined_like_any_card(acme: Company) -> None:
    acme.customer("good", method="pm_sandbox_googlePay")
    acme.customer("poor", method=FUNDS)
    for account in ("good", "poor"):
        acme.subscribe(account, f"{account}-basic")
    acme.settle()
    assert {(each.status, each.decline_code) for each in _payments(acme)} == {
        ("succeeded", None),
        ("declined", "insufficient_funds"),
    }
    assert sum(each.status == InvoiceStatus.PAID for each in acme.invoices()) == 1
    assert acme.violations() == ()


def test_tries_of_one_card_are_counted_together_whether_it_was_typed_in_or_came_by_a_wallet(acme: Company) -> None:
    typed, by_wallet = acme.customer("typed"), acme.customer("wallet", method="pm_sandbox_applePay")
    for account in ("typed", "wallet"):
        acme.subscribe(account, f"{account}-basic")
    acme.settle()
    with acme.begin() as session:
        methods = {each.profile_id: each for each in session.query(PaymentMethod)}
    assert (methods[typed].wallet, methods[by_wallet].wallet) == (None, "apple_pay")
    assert methods[typed].fingerprint == methods[by_wallet].fingerprint
    assert {each.card_fingerprint for each in _payments(acme)} == {methods[typed].fingerprint}


def test_the_wallet_is_told_to_the_host_and_to_operators(acme: Company) -> None:
    profile_id = acme.customer("one", method="pm_sandbox_applePay")
    with acme.begin() as session:
        added = session.query(OutboxEvent).filter_by(topic="payment_method.added").one()
        assert added.payload == {"profile_id": str(profile_id), "kind": "card", "wallet": "apple_pay"}
        assert [row["wallet"] for row in show_profile(session, profile_id)["payment_methods"]] == ["apple_pay"]


def test_the_contacts_that_a_wallet_gives_along_are_kept_nowhere(acme: Company) -> None:
    acme.customer("one", method="pm_sandbox_applePay")
    acme.subscribe("one", "one-basic")
    acme.settle()
    (method_ref,) = {each.method_ref for each in _payments(acme)}
    address = f"{acme.witness_url}/v1/payment_methods/{method_ref}"
    assert "Walletowner" in requests.get(address, headers={"Authorization": "Bearer sk_test_company"}, timeout=5).text
    told = json.dumps([each.params for each in acme.witness.requests()])
    assert "alletowner" not in told
    with acme.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'billing'")).all()
        for table in tables:
            for contact in ("wallet.owner", "Walletowner", "5550199"):
                found = text(f"SELECT count(*) FROM billing.{table} r WHERE r::text ILIKE ANY (:like)")
                plain_or_hex = [f"%{contact}%", f"%{contact.encode().hex()}%"]
                assert session.scalar(found, {"like": plain_or_hex}) == 0, (table, contact)


def _payments(acme: Company) -> list[Payment]:
    with acme.begin() as session:
        return list(session.query(Payment))
