"""What PayPal's answers prove where something of them is missing, or is another's: never that no money moved."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.kernel.errors import ProviderUnavailable, ProviderUncertain
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.events import event_facts
from billing.providers.paypal.facts import listed_charge
from billing.providers.paypal.signature import Certificates
from billing.providers.port import ChargeRequest, Outcome
from billing.providers.road import Answered

AT = "2026-02-01T00:00:00Z"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
REQUEST = ChargeRequest(
    payment_id=UUID("01890000-0000-7000-8000-000000000002"),
    invoice_id=UUID("01890000-0000-7000-8000-000000000001"),
    customer_ref="01890000-0000-4000-8000-000000000003",
    method_ref="8kk8451t",
    amount_minor=1190,
    currency="eur",
)
MONEY = {"currency_code": "EUR", "value": "11.90"}
CAPTURE = {"id": "2GG", "status": "COMPLETED", "amount": MONEY, "create_time": AT, "final_capture": True}
REFUND = {"id": "0K3", "status": "COMPLETED", "amount": MONEY, "custom_id": str(uuid4()), "create_time": AT}
ORDER: dict[str, Any] = {
    "id": "5O1",
    "status": "COMPLETED",
    "create_time": AT,
    "purchase_units": [
        {
            "custom_id": f"{REQUEST.payment_id}.{REQUEST.customer_ref}",
            "invoice_id": str(REQUEST.invoice_id),
            "amount": MONEY,
            "payments": {"captures": [CAPTURE], "refunds": [REFUND]},
        }
    ],
}


@dataclass(slots=True)
class Said:
    """PayPal, which answers each path as it is told to."""

    answers: dict[str, Any] = field(default_factory=dict)

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> Answered:
        path = url.removeprefix("http://paypal").partition("?")[0]
        if path == "/v1/oauth2/token":
            return json.dumps({"access_token": "A21", "expires_in": 30_000}).encode(), 200, {}
        answer = self.answers[path]
        told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return told, 201 if method == "POST" else 200, {}


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def provider(said: Said) -> PayPalProvider:
    client = PayPalClient(said, base_address="http://paypal", client_id="sb", client_secret="secret")
    closed = Certificates(fetch=lambda _: b"", roots=b"", livemode=False)
    return PayPalProvider(client=client, certificates=closed, livemode=False)


def order(**payments: Any) -> dict[str, Any]:
    """The order with other payments than it has."""
    changed = copy.deepcopy(ORDER)
    changed["purchase_units"][0]["payments"] = payments or None
    return changed


WITHOUT = {
    "no payments": order(),
    "no captures": order(captures=None),
    "an empty list": order(captures=[]),
    "no capture in it": order(captures=[None]),
    "authorizations": order(authorizations=[{"id": "0AW", "status": "CREATED"}]),
}


@pytest.mark.parametrize("answer", WITHOUT.values(), ids=WITHOUT.keys())
def test_an_order_that_was_carried_out_and_shows_no_capture_is_no_decline(
    provider: PayPalProvider, said: Said, answer: dict[str, Any]
) -> None:
    said.answers = {"/v2/checkout/orders": answer, "/v2/checkout/orders/5O1": answer}
    outcome = provider.charge(REQUEST, key="k", key_age_s=0)
    assert (outcome.outcome, outcome.intent_over) == (Outcome.UNKNOWN, False)
    for ask in (provider.read_intent, lambda ref: provider.cancel_intent(ref, key="k:cancel")):
        with pytest.raises(ProviderUnavailable):
            ask("5O1")


@pytest.mark.parametrize(
    "body",
    [b"<html>", b'{"id": "5O1"', b"[]", b"[" * 100_000, b"\xff"],
    ids=["a page", "cut off", "a list", "deep", "no text"],
)
def test_an_answer_that_is_none_of_paypals_leaves_the_attempt_open(
    provider: PayPalProvider, said: Said, body: bytes
) -> None:
    said.answers = {"/v2/checkout/orders": body, "/v2/checkout/orders/5O1": body}
    outcome = provider.charge(REQUEST, key="k", key_age_s=0)
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, "answer_is_no_json")
    with pytest.raises(ProviderUnavailable):
        provider.read_intent("5O1")


@pytest.mark.parametrize("status", ["PAYER_ACTION_REQUIRED", "CREATED", "APPROVED", "SAVED"])
def test_an_order_that_waits_for_its_payer_has_moved_nothing(provider: PayPalProvider, said: Said, status: str) -> None:
    said.answers = {"/v2/checkout/orders": order() | {"status": status}}
    outcome = provider.charge(REQUEST, key="k", key_age_s=0)
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "authentication_required")


def test_an_order_in_a_state_that_nobody_knows_is_no_decline(provider: PayPalProvider, said: Said) -> None:
    said.answers = {"/v2/checkout/orders": order() | {"status": "ON_HOLD"}}
    assert provider.charge(REQUEST, key="k", key_age_s=0).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("answer", [*WITHOUT.values(), order(captures=[CAPTURE | {"id": "9ZZ"}])])
def test_an_order_that_does_not_show_the_capture_proves_no_refund_absent(
    provider: PayPalProvider, said: Said, answer: dict[str, Any]
) -> None:
    """A second refund would be sent under another key."""
    of = {**CAPTURE, "supplementary_data": {"related_ids": {"order_id": "5O1"}}}
    said.answers = {"/v2/payments/captures/2GG": of, "/v2/checkout/orders/5O1": answer}
    with pytest.raises(ProviderUnavailable):
        provider.list_refunds(charge_ref="2GG")
    said.answers["/v2/checkout/orders/5O1"] = ORDER
    assert [each.refund_ref for each in provider.list_refunds(charge_ref="2GG")] == ["0K3"]
    said.answers["/v2/checkout/orders/5O1"] = order(captures=[CAPTURE])
    assert list(provider.list_refunds(charge_ref="2GG")) == []


@pytest.mark.parametrize(
    "of",
    [
        {"supplementary_data": {"related_ids": {"order_id": "5O1"}}},
        {
            "links": [
                {"rel": "self", "href": "x"},
                {"rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/5O1"},
            ]
        },
        {"supplementary_data": None, "links": [None, {"rel": "up", "href": "http://paypal/v2/checkout/orders/5O1/"}]},
    ],
)
def test_a_capture_names_its_order_beside_it_or_by_a_link(of: dict[str, Any]) -> None:
    event = {"id": "WH-1", "event_type": "PAYMENT.CAPTURE.DENIED", "resource_type": "capture", "create_time": AT}
    assert event_facts(event | {"resource": CAPTURE | of}).object_ref == "5O1"
    assert listed_charge(CAPTURE | of).intent_ref == "5O1"
    authorized = {"links": [{"rel": "up", "href": "https://api.paypal.com/v2/payments/authorizations/0AW"}]}
    assert event_facts(event | {"resource": CAPTURE | authorized}).object_ref == "2GG"


DISPUTE = {
    "dispute_id": "PP-D-1",
    "status": "OPEN",
    "dispute_life_cycle_stage": "CHARGEBACK",
    "create_time": AT,
    "dispute_amount": MONEY,
    "disputed_transactions": [{"seller_transaction_id": "2GG"}],
}
READS: dict[str, tuple[Callable[[PayPalProvider, str], object], str, str, dict[str, Any]]] = {
    "intent": (PayPalProvider.read_intent, "/v2/checkout/orders/", "id", ORDER),
    "capture": (PayPalProvider.read_charge, "/v2/payments/captures/", "id", CAPTURE),
    "refund": (PayPalProvider.read_refund, "/v2/payments/refunds/", "id", REFUND),
    "dispute": (PayPalProvider.read_dispute, "/v1/customer/disputes/", "dispute_id", DISPUTE),
    "method": (PayPalProvider.read_method, "/v3/vault/payment-tokens/", "id", {"id": "8kk"}),
    "set-up": (PayPalProvider.read_setup, "/v3/vault/setup-tokens/", "id", {"id": "5C9", "status": "APPROVED"}),
}


@pytest.mark.parametrize("what", READS.keys())
def test_an_answer_about_another_object_is_none(provider: PayPalProvider, said: Said, what: str) -> None:
    read, path, name, answer = READS[what]
    said.answers = {f"{path}{answer[name]}": answer, f"{path}ANOTHER": answer}
    read(provider, answer[name])
    with pytest.raises(ProviderUnavailable):
        read(provider, "ANOTHER")


def test_an_answer_about_another_refund_leaves_open_what_became_of_ours(provider: PayPalProvider, said: Said) -> None:
    said.answers = {"/v2/payments/captures/2GG/refund": REFUND}
    ours = UUID(str(REFUND["custom_id"]))
    asked: dict[str, Any] = {"charge_ref": "2GG", "amount_minor": 1190, "currency": "eur", "key": "k"}
    assert provider.refund(refund_id=ours, **asked).refund_ref == "0K3"
    with pytest.raises(ProviderUncertain):
        provider.refund(refund_id=uuid4(), **asked)


@pytest.mark.parametrize(("currency", "value"), [("BTC", "0.00021345"), ("PYUSD", "12.500000")])
def test_a_row_of_a_cryptocurrency_is_none_of_ours_and_hides_no_other(
    provider: PayPalProvider, said: Said, currency: str, value: str
) -> None:
    """PayPal: reports show a cryptocurrency's code and amount where a transaction is of one."""
    row = {"transaction_id": "7CC", "transaction_event_code": "T0006", "transaction_status": "S",
           "transaction_amount": MONEY, "transaction_initiation_date": AT}  # fmt: skip
    coin = row | {"transaction_id": "8CC", "transaction_amount": {"currency_code": currency, "value": value}}
    said.answers = {
        "/v1/reporting/transactions": {
            "transaction_details": [{"transaction_info": coin}, {"transaction_info": row}],
            "total_pages": 1,
            "last_refreshed_datetime": AT,
        }
    }
    window = {"created_from": NOW - timedelta(hours=9), "created_to": NOW}
    assert [each.charge_ref for page in provider.charge_pages(**window) for each in page] == ["7CC"]
    assert [each.balance_ref for page in provider.movement_pages(**window) for each in page] == ["7CC"]


@pytest.mark.parametrize("row", [None, "text", 7, [], {"transaction_info": None}])
def test_a_row_of_the_report_that_is_none_is_never_left_out(provider: PayPalProvider, said: Said, row: object) -> None:
    report = {"transaction_details": [row], "total_pages": 1, "last_refreshed_datetime": AT}
    said.answers = {"/v1/reporting/transactions": report}
    for ask in (provider.charge_pages, provider.refund_pages, provider.movement_pages):
        with pytest.raises(ProviderUnavailable):
            list(ask(created_from=NOW - timedelta(hours=9), created_to=NOW))


def test_two_legs_of_an_exchange_are_two_movements_though_they_have_one_id(
    provider: PayPalProvider, said: Said
) -> None:
    """PayPal: a transaction id is not unique in the report."""
    leg = {"transaction_id": "6TX", "transaction_event_code": "T0200", "transaction_status": "S",
           "paypal_reference_id": "2GG", "transaction_initiation_date": AT}  # fmt: skip
    amounts = ({"currency_code": "USD", "value": "-9.35"}, {"currency_code": "EUR", "value": "8.50"})
    rows = [{"transaction_info": leg | {"transaction_amount": amount}} for amount in amounts]
    said.answers = {
        "/v1/reporting/transactions": {
            "transaction_details": rows,
            "total_pages": 1,
            "last_refreshed_datetime": AT,
        }
    }
    (page,) = provider.movement_pages(created_from=NOW - timedelta(hours=9), created_to=NOW)
    assert [(each.amount_minor, each.currency, each.source_ref) for each in page] == [
        (-935, "usd", "2GG"),
        (850, "eur", "2GG"),
    ]
    assert len({each.balance_ref for each in page}) == 2


def test_a_report_that_breaks_off_at_its_second_page_is_not_taken_for_whole() -> None:
    """A first page says so where a time is not shown yet; behind others it would leave charges out."""
    row = {"transaction_id": "7CC", "transaction_event_code": "T0006", "transaction_status": "S",
           "transaction_amount": MONEY, "transaction_initiation_date": AT}  # fmt: skip
    first = {"transaction_details": [{"transaction_info": row}], "total_pages": 2, "last_refreshed_datetime": AT}

    def send(method: str, url: str, headers: Mapping[str, str], body: Any) -> Answered:
        if url.endswith("/v1/oauth2/token"):
            return json.dumps({"access_token": "A21", "expires_in": 30_000}).encode(), 200, {}
        if "&page=1" in url:
            return json.dumps(first).encode(), 200, {}
        return json.dumps({"name": "INVALID_REQUEST", "message": "Data is not available."}).encode(), 400, {}

    client = PayPalClient(send, base_address="http://paypal", client_id="sb", client_secret="secret")
    closed = Certificates(fetch=lambda _: b"", roots=b"", livemode=False)
    provider = PayPalProvider(client=client, certificates=closed, livemode=False)
    for ask in (provider.charge_pages, provider.refund_pages, provider.movement_pages):
        with pytest.raises(ProviderUnavailable):
            list(ask(created_from=NOW - timedelta(hours=9), created_to=NOW))


def test_a_token_that_is_no_longer_taken_is_fetched_once_for_all_threads() -> None:
    """Each would have given up the others' new one; PayPal limits how often tokens are asked for."""
    refused, tokens = threading.Barrier(8), list[str]()

    def send(method: str, url: str, headers: Mapping[str, str], body: Any) -> Answered:
        if url.endswith("/v1/oauth2/token"):
            tokens.append(f"T{len(tokens)}")
            return json.dumps({"access_token": tokens[-1], "expires_in": 30_000}).encode(), 200, {}
        if url.endswith("/first"):
            return b"{}", 200, {}
        if headers["Authorization"] != "Bearer T0":
            return b"{}", 200, {}
        refused.wait(timeout=10)
        return b"{}", 401, {}

    client = PayPalClient(send, base_address="http://paypal", client_id="sb", client_secret="secret")
    client.get("/first")
    with ThreadPoolExecutor(8) as pool:
        for answered in [pool.submit(client.get, "/any") for _ in range(8)]:
            answered.result()
    assert tokens == ["T0", "T1"]


@pytest.mark.parametrize("row", [None, "text", 7])
def test_a_refund_that_is_none_does_not_break_who_reads_its_order(
    provider: PayPalProvider, said: Said, row: object
) -> None:
    said.answers = {"/v2/checkout/orders/5O1": order(captures=[CAPTURE], refunds=[row])}
    with pytest.raises(ProviderUnavailable):
        provider.read_intent("5O1")


@pytest.mark.parametrize(
    ("stage", "status"), [("INQUIRY", "warning_under_review"), ("CHARGEBACK", "under_review"), (None, "under_review")]
)
def test_a_dispute_in_a_state_that_nobody_knows_is_looked_at(
    provider: PayPalProvider, said: Said, stage: str | None, status: str
) -> None:
    """It would keep all disputes of the account from being compared, and with them refunds and movements."""
    answer = DISPUTE | {"status": "WAITING_FOR_A_THIRD", "dispute_life_cycle_stage": stage}
    said.answers = {"/v1/customer/disputes/PP-D-1": answer}
    assert provider.read_dispute("PP-D-1").status == status
