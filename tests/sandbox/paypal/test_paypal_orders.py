"""The PayPal stand-in's orders: captured with their creation from a vaulted wallet, or by a call of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from billing.sandbox.paypal.app import create_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store


@dataclass(frozen=True)
class Business:
    """One business account at the stand-in."""

    address: str
    token: str

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}"} | ({"PayPal-Request-Id": key} if key else {})
        answer = requests.post(f"{self.address}{path}", json=body, headers=headers, timeout=5)
        return answer.status_code, answer.json()

    def vaulted(self, wallet: str = "B-SANDBOX-GOOD") -> dict[str, Any]:
        """A payment source of a new payment token."""
        source = {"token": {"type": "BILLING_AGREEMENT", "id": wallet}}
        _, made = self.post("/v3/vault/payment-tokens", {"payment_source": source})
        return {"paypal": {"vault_id": made["id"]}}

    def order(self, **more: Any) -> dict[str, Any]:
        unit = {"amount": {"currency_code": "EUR", "value": "11.90"}, "invoice_id": "i-1", "custom_id": "p-1"}
        status, made = self.post(
            "/v2/checkout/orders", {"intent": "CAPTURE", "purchase_units": [unit], **more}, key="order"
        )
        assert status == 201
        return made

    def capture(self, order: dict[str, Any], body: dict[str, Any], *, key: str) -> tuple[int, dict[str, Any]]:
        return self.post(f"/v2/checkout/orders/{order['id']}/capture", body, key=key)

    def show(self, order: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        shown: dict[str, Any] = requests.get(
            f"{self.address}/v2/checkout/orders/{order['id']}", headers=headers, timeout=5
        ).json()
        return shown

    def moved(self) -> list[tuple[str, int]]:
        charges = requests.get(f"{self.address}/_sandbox/charges", timeout=5).json()
        return [(each["status"], each["amount"]) for each in charges]


@pytest.fixture
def business() -> Iterator[Business]:
    with serving(Store(MEMORY), seed=1, make=create_app) as standing:
        made = requests.post(
            f"{standing.url}/v1/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=("sb-shop", "secret"),
            timeout=5,
        ).json()
        yield Business(standing.url, made["access_token"])


def _issue(body: dict[str, Any]) -> str:
    return str(body["details"][0]["issue"])


def test_an_order_from_a_vaulted_wallet_is_captured_with_its_creation(business: Business) -> None:
    order = business.order(payment_source=business.vaulted())
    assert order["status"] == "COMPLETED"
    assert business.moved() == [("succeeded", 1190)]
    assert _issue(business.capture(order, {}, key="again")[1]) == "ORDER_ALREADY_CAPTURED"


def test_an_order_without_one_waits_and_is_captured_once(business: Business) -> None:
    order = business.order()
    assert (order["status"], business.moved()) == ("CREATED", [])
    status, refused = business.capture(order, {}, key="no-source")
    assert (status, _issue(refused)) == (422, "ORDER_NOT_APPROVED")
    source = business.vaulted()
    status, captured = business.capture(order, {"payment_source": source}, key="capture")
    assert (status, captured["id"], captured["status"]) == (201, order["id"], "COMPLETED")
    (capture,) = captured["purchase_units"][0]["payments"]["captures"]
    assert (capture["status"], capture["custom_id"]) == ("COMPLETED", "p-1")
    assert business.capture(order, {"payment_source": source}, key="capture") == (200, captured)
    assert _issue(business.capture(order, {"payment_source": source}, key="again")[1]) == "ORDER_ALREADY_CAPTURED"
    assert business.moved() == [("succeeded", 1190)]


def test_a_wallet_declines_a_capture_as_it_declines_an_order(business: Business) -> None:
    order = business.order()
    status, told = business.capture(order, {"payment_source": business.vaulted("B-SANDBOX-NOFUNDS")}, key="capture")
    assert (status, told["purchase_units"][0]["payments"]["captures"][0]["status"]) == (201, "DECLINED")
    assert business.moved() == [("failed", 1190)]


def test_an_order_whose_wallet_is_refused_goes_on_waiting(business: Business) -> None:
    order = business.order()
    refused = business.vaulted("B-SANDBOX-DECLINED")
    assert _issue(business.capture(order, {"payment_source": refused}, key="refused")[1]) == "INSTRUMENT_DECLINED"
    assert business.show(order) == order
    status, captured = business.capture(order, {"payment_source": business.vaulted()}, key="capture")
    assert (status, captured["status"]) == (201, "COMPLETED")
    assert business.moved() == [("failed", 1190), ("succeeded", 1190)]


def test_what_is_no_order_or_names_no_wallet_is_refused(business: Business) -> None:
    assert business.capture({"id": "nothing"}, {}, key="capture")[0] == 404
    order = business.order()
    assert business.capture(order, {"payment_source": {"card": {}}}, key="card")[0] == 400
    assert business.capture(order, {"note": "x"}, key="more")[0] == 400
    assert business.post(f"/v2/checkout/orders/{order['id']}/capture", {})[0] == 400
    assert business.moved() == []


def test_a_unit_and_a_refund_are_shown_as_they_were_named(business: Business) -> None:
    unit = {"reference_id": "seat-7", "amount": {"currency_code": "EUR", "value": "11.90"}}
    made = business.order(purchase_units=[unit], payment_source=business.vaulted())
    assert made["purchase_units"][0]["reference_id"] == business.show(made)["purchase_units"][0]["reference_id"]
    assert made["purchase_units"][0]["reference_id"] == "seat-7"
    path = f"/v2/payments/captures/{made['purchase_units'][0]['payments']['captures'][0]['id']}/refund"
    named = {"invoice_id": "i-1", "note_to_payer": "Sorry."}
    status, refund = business.post(path, {"amount": {"currency_code": "EUR", "value": "1.90"}, **named}, key="part")
    assert (status, {name: refund[name] for name in named}) == (201, named)
    assert business.post(path, {"note_to_payer": 1}, key="no-text")[0] == 400
    status, rest = business.post(path, {}, key="rest")
    assert (status, rest["amount"]["value"], "note_to_payer" in rest) == (201, "10.00", False)


def test_any_client_has_an_account_and_who_is_none_is_told_as_oauth_does(business: Business) -> None:
    def asked(auth: tuple[str, str] | None) -> requests.Response:
        return _token(business, "grant_type=client_credentials", auth)

    assert asked(("AYSq3RDGsmBLJE-otTkBtM", "secret")).json()["token_type"] == "Bearer"
    for auth in (None, ("", "secret"), ("AYSq3RDGsmBLJE-otTkBtM", ""), ("revoked-1", "secret")):
        refused = asked(auth)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("grant_type=zzz", "unsupported grant_type"),
        ("grant_type=", "Grant Type is NULL"),
        ("", "Grant Type is NULL"),
        ('{"grant_type": "client_credentials"}', "Grant Type is NULL"),
    ],
)
def test_a_token_is_given_for_client_credentials_alone(business: Business, body: str, said: str) -> None:
    refused = _token(business, body, ("sb-shop", "secret"))
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "unsupported_grant_type", "error_description": said},
    )
    assert _token(business, body, ("revoked-1", "secret")).status_code == 401


def _token(business: Business, body: str, auth: tuple[str, str] | None) -> requests.Response:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return requests.post(f"{business.address}/v1/oauth2/token", data=body, headers=form, auth=auth, timeout=5)


def test_the_payers_page_refuses_a_wallet_that_there_is_not(business: Business) -> None:
    wallet = {"usage_type": "MERCHANT", "experience_context": {"return_url": "https://shop.test/back"}}
    status, setup = business.post("/v3/vault/setup-tokens", {"payment_source": {"paypal": wallet}}, key="setup")
    assert status == 201, setup
    page = f"{business.address}/_sandbox/approve/{setup['id']}"
    for named, answered in (("B-NONE", 400), ("B-SANDBOX-GOOD", 303)):
        agreed = requests.post(page, data={"agree": "1", "wallet": named}, allow_redirects=False, timeout=5)
        assert agreed.status_code == answered
