"""Mounted in process: no socket, no thread, no waiting; the same application."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from billing.sandbox.stripe import StandInDisconnected, StandInTimeout, Store
from billing.sandbox.stripe.app import create_app, stand_in_of
from billing.sandbox.stripe.background import run_due
from billing.sandbox.stripe.endpoints import at_start
from billing.sandbox.stripe.mounted import ask

HEADERS = {"Authorization": "Bearer sk_test_in_process", "Idempotency-Key": "k"}
CHARGE = {
    "amount": "1000",
    "currency": "eur",
    "payment_method": "pm_card_visa",
    "allowed_payment_method_types[]": "card",
    "confirm": "true",
}


class Letters(list[tuple[str, bytes, dict[str, str]]]):
    """A receiver that is a function; answers with the next of `statuses`, then 200."""

    statuses: list[int]

    def __init__(self) -> None:
        super().__init__()
        self.statuses = []

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.append((url, body, headers))
        return self.statuses.pop(0) if self.statuses else 200


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def app(letters: Letters) -> Any:
    app = create_app(Store(), deliver=letters, in_process=True)
    at_start(stand_in_of(app), url="http://host.example/hook", secret="whsec_in_process")
    return app


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
def test_a_time_out_is_raised_at_once(app: Any, kind: str) -> None:
    caller = app.test_client()
    caller.post("/_sandbox/faults", json=[{"kind": kind, "next": 1}])
    with pytest.raises(StandInTimeout):
        caller.post("/v1/payment_intents", data=CHARGE, headers=HEADERS)
    again = caller.post("/v1/payment_intents", data=CHARGE, headers=HEADERS)
    assert again.status_code == 200
    assert again.headers.get("Idempotent-Replayed") == ("true" if kind == "timeout_after" else None)


def test_a_broken_connection_is_raised_at_once(app: Any) -> None:
    caller = app.test_client()
    caller.post("/_sandbox/faults", json=[{"kind": "disconnect_after", "next": 1}])
    with pytest.raises(StandInDisconnected):
        caller.post("/v1/payment_intents", data=CHARGE, headers=HEADERS)


def test_webhooks_go_through_the_hook_when_told(app: Any, letters: Letters) -> None:
    app.test_client().post("/v1/payment_intents", data=CHARGE, headers=HEADERS)
    assert letters == []
    assert run_due(stand_in_of(app)) > 0
    types = []
    for url, body, headers in letters:
        assert url == "http://host.example/hook"
        types.append(stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_in_process").type)
    assert types == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"]
    assert run_due(stand_in_of(app)) == 0


def test_a_refused_delivery_waits_unless_it_is_asked_for_early(app: Any, letters: Letters) -> None:
    letters.statuses = [500]
    app.test_client().post("/v1/customers", headers=HEADERS)
    run_due(stand_in_of(app))
    assert len(letters) == 1
    assert run_due(stand_in_of(app)) == 0
    assert run_due(stand_in_of(app), early=True) == 1
    assert len(letters) == 2


def test_two_applications_share_nothing(app: Any) -> None:
    other = create_app(Store(), in_process=True).test_client()
    app.test_client().post("/v1/customers", headers=HEADERS)
    assert other.get("/_sandbox/state").json["objects"] == {}


def test_faults_by_chance_are_repeatable_with_a_seed() -> None:
    def play() -> list[int]:
        caller = create_app(Store(), seed=11, in_process=True).test_client()
        caller.post("/_sandbox/faults", json=[{"kind": "error_500_before", "rate": 0.5}])
        headers = {"Authorization": HEADERS["Authorization"]}
        return [caller.post("/v1/customers", headers=headers).status_code for _ in range(20)]

    first = play()
    assert set(first) == {200, 500}
    assert play() == first


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/payment_intents?limit=3&expand[]=data.latest_charge"),
        ("GET", "/v1/payment_intents/search?query=status:'succeeded'"),
        ("GET", "/v1/payment_intents/pi_none"),
        ("POST", "/v1/payment_intents/pi_none/confirm"),
        ("POST", "/v1/payment_intents"),
        ("DELETE", "/v1/customers/cus_none"),
    ],
)
def test_asked_without_http_it_answers_the_same(method: str, path: str) -> None:
    store = Store()
    app = create_app(store, in_process=True)
    # Else a second of wall time may pass between the two, and what they make says so.
    stand_in_of(app).clock.set(datetime(2026, 1, 31, tzinfo=UTC))
    body = "amount=1000&currency=nok&metadata[a]=b%20c" if method == "POST" else None
    over_http = app.test_client().open(
        path, method=method, headers=HEADERS, data=body, content_type="application/x-www-form-urlencoded"
    )
    other = HEADERS | {"Idempotency-Key": "other"}
    asked = ask(stand_in_of(app), method, "http://stand-in" + path, other, body)
    assert asked is not None
    raw, status, headers = asked
    assert (status, _shape(json.loads(raw))) == (over_http.status_code, _shape(over_http.get_json()))
    assert set(headers) <= set(over_http.headers.keys())
    assert ask(stand_in_of(app), "GET", "http://stand-in/v1/nothing", HEADERS, None) is None
    store.close()


def _shape(body: Any) -> Any:
    """The body without what differs by chance."""
    if isinstance(body, dict):
        chance = ("id", "client_secret")
        return {name: _shape(value) for name, value in body.items() if name not in chance}
    return body
