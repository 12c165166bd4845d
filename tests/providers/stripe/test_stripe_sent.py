"""The list of all that Stripe may be told: what is on it passes, whatever else is named as a breach."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from billing.providers.stripe.sent import breaches

CHARGE: dict[str, Any] = {
    "amount": "1500",
    "currency": "eur",
    "customer": "cus_1",
    "payment_method": "pm_1",
    "allowed_payment_method_types": ["card"],
    "confirm": "true",
    "off_session": "true",
    "metadata": {"invoice_id": str(uuid4()), "payment_id": str(uuid4())},
}


def found(**changes: Any) -> list[str]:
    return breaches(method="POST", path="/v1/payment_intents", params=CHARGE | changes, key=str(uuid4()))


def test_what_the_adapter_sends_is_on_the_list() -> None:
    assert found() == []
    assert found(amount=1500, confirm=True) == []


def test_flat_and_nested_names_are_the_same_names() -> None:
    flat = {"metadata[anonymous_id]": str(uuid4())}
    assert breaches(method="POST", path="/v1/customers", params=flat) == []
    flat = {"expand[]": "latest_charge"}
    assert breaches(method="GET", path="/v1/payment_intents/pi_1", params=flat) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"description": "July"}, ["description"]),
        ({"receipt_email": "a@example.org"}, ["receipt_email"]),
        ({"statement_descriptor_suffix": "x"}, ["statement_descriptor_suffix"]),
        ({"shipping": {"name": "A", "address": {"city": "B"}}}, ["shipping.name", "shipping.address.city"]),
        ({"metadata": {**CHARGE["metadata"], "name": "A"}}, ["metadata.name"]),
        ({"metadata": {**CHARGE["metadata"], "invoice_id": "for A. Person"}}, ["metadata.invoice_id"]),
        ({"customer": "a.person@example.org"}, ["customer"]),
        ({"amount": "15.00"}, ["amount"]),
        ({"allowed_payment_method_types": ["card", "A. Person"]}, ["allowed_payment_method_types.1"]),
        ({"payment_method": "pm_1\n"}, ["payment_method"]),
        ({"allowed_payment_method_types": ["sepa_debit"]}, []),
        (
            {"payment_method_data": {"billing_details": {"name": "A. Person"}, "sepa_debit": {"iban": "AT61"}}},
            ["payment_method_data.billing_details.name", "payment_method_data.sepa_debit.iban"],
        ),
        (
            {"mandate_data": {"customer_acceptance": {"online": {"ip_address": "192.0.2.1"}}}},
            ["mandate_data.customer_acceptance.online.ip_address"],
        ),
    ],
)
def test_anything_else_is_named_by_its_path_and_never_by_its_value(changes: dict[str, Any], named: list[str]) -> None:
    assert found(**changes) == named


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/customers/cus_1"),
        ("GET", "/v1/payment_intents/search"),
        ("POST", "/v1/refunds/re_1"),
        ("POST", "/v1/disputes/dp_1"),
        ("POST", "/v1/payouts"),
        ("DELETE", "/v1/customers/cus_1"),
        ("GET", "/v1/payment_methods/A Person"),
    ],
)
def test_an_operation_that_is_not_listed_is_a_breach(method: str, path: str) -> None:
    assert breaches(method=method, path=path, params={}) == ["operation"]


@pytest.mark.parametrize(
    ("method", "path", "params", "named"),
    [
        ("POST", "/v1/refunds", {"charge": "ch_1", "amount": "100", "metadata": {"refund_id": str(uuid4())}}, []),
        ("POST", "/v1/refunds", {"charge": "ch_1", "metadata": {"refund_id": "for A. Person"}}, ["metadata.refund_id"]),
        ("POST", "/v1/refunds", {"charge": "ch_1", "instructions_email": "a@example.org"}, ["instructions_email"]),
        ("GET", "/v1/refunds", {"created": {"gte": 1, "lt": 2}, "limit": 100, "starting_after": "re_1"}, []),
        ("GET", "/v1/disputes", {"created": {"gte": 1, "lt": 2}, "limit": 100, "starting_after": "A. Person"},
         ["starting_after"]),
        ("GET", "/v1/balance_transactions", {"payout": "po_1", "limit": "100"}, []),
        ("GET", "/v1/radar/early_fraud_warnings/issfr_1", {}, []),
        ("GET", "/v1/payouts/po_1", {"description": "July"}, ["description"]),
    ],
)  # fmt: skip
def test_money_that_goes_back_or_on_tells_ids_and_moments(
    method: str, path: str, params: dict[str, Any], named: list[str]
) -> None:
    assert breaches(method=method, path=path, params=params, key=str(uuid4())) == named


def test_a_key_has_no_room_for_a_name() -> None:
    params = {"metadata": {"anonymous_id": str(uuid4())}}
    assert breaches(method="POST", path="/v1/customers", params=params, key="A Person") == ["idempotency_key"]
    assert breaches(method="POST", path="/v1/customers", params=params, key=f"{uuid4()}:cancel") == []
