"""Faults on demand, and the sandbox's own methods that fail in passing."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest
import requests
import stripe

from billing.sandbox.stripe.faults import Faults
from billing.sandbox.stripe.store import Store
from tests.sandbox.stripe.making import KEY, World, client_of, refusal, until


def charge(world: World, order: dict[str, object], key: str, *, patience_s: float = 5) -> object:
    return world.patient(patience_s).payment_intents.create(order, {"idempotency_key": key})


@pytest.mark.parametrize(("kind", "charges"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_timed_out_charge_has_or_has_not_moved_money(world: World, kind: str, charges: int) -> None:
    order = world.order()
    world.fault(kind, path="/v1/payment_intents", method="POST")
    refusal(lambda: charge(world, order, "k", patience_s=0.3), stripe.APIConnectionError)
    assert len(world.see("charges")) == charges
    again = charge(world, order, "k")
    assert again.last_response.headers.get("Idempotent-Replayed") == ("true" if charges else None)
    assert len(world.see("charges")) == 1


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "disconnect_after"])
def test_the_connection_ends_without_a_byte(world: World, kind: str) -> None:
    world.fault(kind, ms=200)
    where = urlsplit(world.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as raw:
        lines = ("POST /v1/customers HTTP/1.1", "Host: x", f"Authorization: Bearer {KEY}", "Content-Length: 0", "", "")
        raw.sendall("\r\n".join(lines).encode())
        started = time.monotonic()
        assert raw.recv(1000) == b""
        waited = time.monotonic() - started
    assert (waited >= 0.19) == kind.startswith("timeout")
    assert world.see("state")["objects"].get("customer", 0) == (0 if kind == "timeout_before" else 1)


def test_a_broken_connection_after_the_charge_is_replayed(world: World) -> None:
    order = world.order()
    world.fault("disconnect_after", path="/v1/payment_intents")
    refusal(lambda: charge(world, order, "k"), stripe.APIConnectionError)
    assert charge(world, order, "k").status == "succeeded"
    assert len(world.see("charges")) == 1


def test_callers_that_gave_up_do_not_occupy_the_stand_in(world: World) -> None:
    world.fault("timeout_before", next=100, path="/v1/customers")
    for _ in range(100):
        with pytest.raises(requests.RequestException):
            requests.post(world.url + "/v1/customers", headers={"Authorization": f"Bearer {KEY}"}, timeout=0.02)
    requests.delete(world.url + "/_sandbox/faults", timeout=5)
    until(lambda: world.see("state")["in_flight_requests"] == 0)
    assert world.pay().status == "succeeded"


def test_a_slow_answer_is_an_answer(world: World) -> None:
    world.fault("slow", ms=300, path="/v1/customers")
    started = time.monotonic()
    assert world.v1.customers.create({}).id
    assert time.monotonic() - started >= 0.3


def test_a_rate_limit_may_say_when_to_come_back(world: World) -> None:
    world.fault("rate_limit", retry_after_s=2)
    error = refusal(lambda: world.v1.customers.create({}), stripe.RateLimitError)
    assert (error.http_status, error.headers["Retry-After"]) == (429, "2")


def test_a_saved_500_says_that_repeating_is_pointless(world: World) -> None:
    world.fault("error_500_before")
    error = refusal(lambda: world.v1.customers.create({}), stripe.APIError)
    assert (error.http_status, error.headers["Stripe-Should-Retry"]) == (500, "false")


def test_faults_strike_only_where_they_are_meant_to_and_count_their_hits(world: World) -> None:
    world.tell("faults", [{"kind": "error_500_before", "next": 2, "path": "/v1/refunds", "method": "POST"}])
    assert world.v1.customers.create({}).id
    assert world.v1.refunds.list().data == []
    refusal(lambda: world.v1.refunds.create({"charge": "ch_x"}), stripe.APIError)
    assert world.see("faults")[0] | {"next": 1, "hits": 1} == world.see("faults")[0]
    requests.delete(world.url + "/_sandbox/faults", timeout=5)
    assert world.see("faults") == []


def test_a_rate_strikes_as_often_as_it_says(world: World) -> None:
    world.fault("error_500_before", rate=0.3)
    failed = 0
    for _ in range(100):
        failed += world.ask("POST", "/v1/customers").status_code == 500
    assert 15 <= failed <= 45
    world.tell("faults", [{"kind": "slow", "rate": 0, "ms": 10_000}])


@pytest.mark.parametrize(
    "wish",
    [
        {"kind": "slow"},
        [{"kind": "explode", "next": 1}],
        [{"kind": "slow", "rate": 2}],
        [{"kind": "slow", "next": 0}],
        [{"kind": "slow", "next": 1, "rate": 0.5}],
        [{"kind": "slow"}],
        [{"kind": "slow", "next": 1, "when": "now"}],
    ],
)
def test_a_malformed_fault_is_refused(world: World, wish: object) -> None:
    answer = requests.post(world.url + "/_sandbox/faults", json=wish, timeout=5)
    assert answer.status_code == 400
    assert world.see("faults") == []


def test_a_passing_processing_error_did_nothing_and_the_repeat_succeeds(world: World) -> None:
    order = world.order("pm_sandbox_processingError")
    for key in ("first", "second"):
        error = refusal(lambda key=key: charge(world, order, key), stripe.APIError)
        assert (error.http_status, error.headers["Stripe-Should-Retry"]) == (503, "true")
        before = len(world.see("charges"))
        answer = charge(world, order, key)
        assert answer.status == "succeeded"
        assert "Idempotent-Replayed" not in answer.last_response.headers
        assert len(world.see("charges")) == before + 1


@pytest.mark.parametrize(
    ("method", "charges", "replayed"),
    [("pm_sandbox_timeoutAfterCharge", 1, "true"), ("pm_sandbox_timeoutBeforeCharge", 0, None)],
)
def test_the_first_answer_under_a_key_never_arrives(
    world: World, method: str, charges: int, replayed: str | None
) -> None:
    order = world.order(method)
    refusal(lambda: charge(world, order, "k", patience_s=0.3), stripe.APIConnectionError)
    assert len(world.see("charges")) == charges
    again = charge(world, order, "k")
    assert again.status == "succeeded"
    assert again.last_response.headers.get("Idempotent-Replayed") == replayed
    assert len(world.see("charges")) == 1


def test_a_charge_that_timed_out_is_found_among_the_customers_intents(world: World) -> None:
    order = world.order("pm_sandbox_timeoutAfterCharge")
    refusal(lambda: charge(world, order, "k", patience_s=0.3), stripe.APIConnectionError)
    found = world.v1.payment_intents.list({"customer": order["customer"]}).data
    assert [(each.status, each.metadata.to_dict()) for each in found] == [("succeeded", {"payment_id": "p-1"})]


def test_a_fault_of_one_account_leaves_another_alone(world: World) -> None:
    other = client_of(world.url, key="sk_test_another").v1
    world.tell("faults", [{"kind": "error_500_before", "rate": 1, "account": other.accounts.retrieve_current().id}])
    assert world.v1.customers.create({}).id
    assert refusal(lambda: other.customers.create({}), stripe.APIError).http_status == 500


def test_whose_request_it_is_is_asked_only_where_a_fault_of_one_account_stands() -> None:
    """It takes two digests to know, and each request asks some eight times."""
    asked: list[str] = []

    def whose() -> str:
        asked.append("asked")
        return "acct_one"

    faults = Faults(Store(), seed=1)
    assert faults.hit("slow", account=whose) is None
    faults.add([{"kind": "slow", "rate": 1, "path": "/v1/refunds"}, {"kind": "rate_limit", "rate": 1}])
    assert faults.hit("rate_limit", account=whose) is not None
    assert asked == []
    faults.add([{"kind": "error_500_before", "rate": 1, "account": "acct_other"}])
    assert (faults.hit("error_500_before", account=whose), asked) == (None, ["asked"])
