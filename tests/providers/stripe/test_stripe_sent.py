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
    ],
)
def test_anything_else_is_named_by_its_path_and_never_by_its_value(changes: dict[str, Any], named: list[str]) -> None:
    assert found(**changes) == named


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/customers/cus_1"),
        ("GET", "/v1/payment_intents/search"),
        ("POST", "/v1/refunds"),
        ("DELETE", "/v1/customers/cus_1"),
        ("GET", "/v1/payment_methods/A Person"),
    ],
)
def test_an_operation_that_is_not_listed_is_a_breach(method: str, path: str) -> None:
    assert breaches(method=method, path=path, params={}) == ["operation"]


def test_a_key_has_no_room_for_a_name() -> None:
    params = {"metadata": {"anonymous_id": str(uuid4())}}
    assert breaches(method="POST", path="/v1/customers", params=params, key="A Person") == ["idempotency_key"]
    assert breaches(method="POST", path="/v1/customers", params=params, key=f"{uuid4()}:cancel") == []
