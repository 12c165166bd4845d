"""The witness: what moved, what was asked, and when it is quiet."""

from __future__ import annotations

import stripe

from tests.sandbox.stripe.making import KEY, World, refusal


def test_the_witness_lists_every_charge_that_moved_money_or_tried_to(world: World) -> None:
    paid = world.pay(key="k-1")
    refusal(lambda: world.pay("pm_card_chargeDeclinedLostCard", key="k-2"), stripe.CardError)
    good, bad = world.see("charges")
    assert good["id"] == paid.latest_charge
    named = ("payment_intent", "customer", "amount", "currency", "status", "idempotency_key")
    assert [good[name] for name in named] == [paid.id, paid.customer, 1000, "eur", "succeeded", "k-1"]
    assert good["metadata"] == {"payment_id": "p-1"}
    assert isinstance(good["created"], int)
    assert (bad["status"], bad["failure_code"], bad["decline_code"]) == ("failed", "card_declined", "lost_card")
    assert world.see("charges", after=good["id"]) == [bad]
    assert world.see("charges", limit=1) == [good]


def test_the_witness_lists_every_intent_with_its_charges(world: World) -> None:
    intent = refusal(lambda: world.pay("pm_card_chargeDeclined"), stripe.CardError).error.payment_intent
    (seen,) = world.see("intents")
    assert (seen["id"], seen["status"], seen["confirms"]) == (intent.id, "requires_payment_method", 1)
    assert seen["charges"] == [intent.latest_charge]


def test_the_witness_has_every_request_and_no_secret(world: World) -> None:
    order = world.order()
    world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    world.v1.payment_intents.list()
    refusal(lambda: world.v1.customers.create({"nonsense": "x"}))
    seen = [each for each in world.see("requests") if each["path"] != "/v1/payment_methods/pm_card_visa/attach"]
    assert [(each["method"], each["path"], each["status"], each["outcome"]) for each in seen] == [
        ("POST", "/v1/customers", 200, "executed"),
        ("POST", "/v1/payment_intents", 200, "executed"),
        ("POST", "/v1/payment_intents", 200, "replayed"),
        ("GET", "/v1/payment_intents", 200, "executed"),
        ("POST", "/v1/customers", 400, "refused"),
    ]
    assert seen[1]["params"]["metadata"] == {"payment_id": "p-1"}
    assert seen[1]["params"]["allowed_payment_method_types"] == ["card"]
    assert seen[1]["idempotency_key"] == "k"
    assert seen[1]["time"].endswith("Z")
    assert seen[4]["params"] == {"nonsense": "x"}
    assert KEY not in str(seen)
    last = seen[-1]["seq"]
    assert world.see("requests", after=last) == []
    assert len(world.see("requests", limit=2)) == 2


def test_what_no_path_takes_and_what_stands_beside_a_body_has_reached_it_too(world: World) -> None:
    unknown = world.ask("POST", "/v1/invoices", data={"description": "Jane Doe"})
    assert (unknown.status_code, unknown.headers["Request-Id"][:4]) == (404, "req_")
    world.ask("POST", "/v1/customers", params={"name": "John Roe"}, data={"description": "x"})
    first, second = world.see("requests")
    assert (first["path"], first["params"], first["outcome"]) == (
        "/v1/invoices",
        {"raw": "description=Jane+Doe"},
        "refused",
    )
    assert second["params"] == {"name": "John Roe", "description": "x"}


def test_a_request_that_was_lost_on_the_way_in_is_in_the_log(world: World) -> None:
    world.fault("timeout_before", ms=0)
    refusal(lambda: world.v1.customers.create({}), stripe.APIConnectionError)
    assert [(each["status"], each["outcome"]) for each in world.see("requests")] == [(None, "refused")]


def test_the_clock_stands_still_until_it_is_moved(world: World) -> None:
    assert world.see("clock")["frozen"] is False
    assert world.tell("clock", {"now": "2026-01-31T10:00:00+01:00"}) == {"now": "2026-01-31T09:00:00Z", "frozen": True}
    assert world.v1.customers.create({}).created == 1_769_850_000
    assert world.tell("clock", {"now": None})["frozen"] is False
    for wrong in ({"now": "2026-01-31T10:00:00"}, {"now": 5}, {"when": "x"}, []):
        assert world.ask("POST", "/_sandbox/clock", json=wrong).status_code == 400


def test_the_state_says_when_it_is_quiet(world: World) -> None:
    world.pay()
    world.quiet()
    state = world.see("state")
    assert (state["in_flight_requests"], state["undelivered_webhooks"], state["due_timers"]) == (0, 0, 0)
    assert state["objects"]["charge"] == 1


def test_an_unknown_setting_is_refused(world: World) -> None:
    for wrong in ({"colour": 1}, {"minimums": 1}, {"max_confirms": "many"}, {"webhook_retries_ms": ["soon"]}, []):
        assert world.ask("POST", "/_sandbox/config", json=wrong).status_code == 400
    assert world.see("config")["max_confirms"] == 10
