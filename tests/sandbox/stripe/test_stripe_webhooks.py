"""Webhooks and events: signed, repeated, in no promised order, and kept for thirty days."""

from __future__ import annotations

import stripe

from tests.sandbox.stripe.making import Receiver, World, refusal, until


def test_a_payment_is_told_with_verifiable_signatures(world: World, receiver: Receiver) -> None:
    intent = world.pay(key="my-key")
    world.quiet()
    told = {event.type: event for event in receiver.events()}
    assert {"payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"} <= set(told)
    event = told["payment_intent.succeeded"]
    assert event.data.object.id == intent.id
    assert event.request.idempotency_key == "my-key"
    assert (event.livemode, event.api_version) == (False, stripe.api_version)
    assert told["charge.updated"].request.id is None


def test_a_decline_is_told_too(world: World, receiver: Receiver) -> None:
    refusal(lambda: world.pay("pm_card_chargeDeclined"), stripe.CardError)
    world.quiet()
    assert receiver.ids("payment_intent.payment_failed")
    assert receiver.events("charge.failed")[0].data.object.failure_code == "card_declined"


def test_an_endpoint_hears_only_what_it_asked_for(world: World, receiver: Receiver) -> None:
    endpoint = world.v1.webhook_endpoints.list().data[0]
    world.v1.webhook_endpoints.update(endpoint.id, {"enabled_events": ["charge.succeeded"]})
    receiver.taken.clear()
    world.pay()
    world.quiet()
    assert {event.type for event in receiver.events()} == {"charge.succeeded"}


def test_the_secret_is_shown_once(world: World, receiver: Receiver) -> None:
    listed = world.v1.webhook_endpoints.list().data[0]
    assert receiver.secret.startswith("whsec_")
    assert "secret" not in listed.to_dict()
    assert receiver.secret not in world.ask("GET", "/_sandbox/requests").text


def test_a_refused_delivery_is_tried_again(world: World, receiver: Receiver) -> None:
    world.tell("config", {"webhook_retries_ms": [30, 60]})
    receiver.statuses[:] = [500, 503]
    world.v1.customers.create({})
    until(lambda: len(receiver.ids("customer.created")) == 3)
    world.quiet()
    assert len(set(receiver.ids("customer.created"))) == 1


def test_a_delivery_is_given_up_in_the_end(world: World, receiver: Receiver) -> None:
    world.tell("config", {"webhook_retries_ms": [30], "webhook_give_up_s": 0})
    receiver.statuses[:] = [500] * 50
    world.v1.customers.create({})
    world.quiet()
    failed = world.v1.events.list({"delivery_success": False}).data
    assert [event.type for event in failed] == ["customer.created"]


def test_a_disabled_endpoint_hears_nothing(world: World, receiver: Receiver) -> None:
    endpoint = world.v1.webhook_endpoints.list().data[0]
    world.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    world.v1.customers.create({})
    world.quiet()
    assert receiver.taken == []
    world.v1.webhook_endpoints.delete(endpoint.id)
    assert world.v1.webhook_endpoints.list().data == []


def test_a_duplicate_has_the_same_event_id(world: World, receiver: Receiver) -> None:
    world.fault("webhook_duplicate", type="customer.created")
    world.v1.customers.create({})
    world.quiet()
    ids = receiver.ids("customer.created")
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_reordered_delivery_comes_after_later_ones(world: World, receiver: Receiver) -> None:
    world.fault("webhook_reorder", type="payment_intent.created", ms=300)
    world.pay()
    world.quiet()
    types = [event.type for event in receiver.events()]
    assert types.index("payment_intent.created") > types.index("payment_intent.succeeded")


def test_where_all_are_reordered_each_three_come_in_reverse(world: World, receiver: Receiver) -> None:
    world.fault("webhook_reorder", rate=1, type="customer.created", ms=600)
    made = [world.v1.customers.create({}).id for _ in range(3)]
    world.quiet()
    told = [event.data.object.id for event in receiver.events() if event.type == "customer.created"]
    assert told == made[::-1]


def test_a_delayed_delivery_comes_late(world: World, receiver: Receiver) -> None:
    world.fault("webhook_delay", type="customer.created", ms=400)
    world.v1.customers.create({})
    assert world.see("state")["undelivered_webhooks"] == 1
    assert receiver.taken == []
    until(lambda: receiver.ids("customer.created"))


def test_a_dropped_delivery_is_found_by_listing_and_sent_on_request(world: World, receiver: Receiver) -> None:
    world.fault("webhook_drop", type="customer.created")
    world.v1.customers.create({})
    world.v1.customers.create({})
    world.quiet()
    assert len(receiver.taken) == 1
    missed = world.v1.events.list({"delivery_success": False}).data
    assert len(missed) == 1
    assert world.tell(f"events/{missed[0].id}/resend")["deliveries"] == 1
    until(lambda: missed[0].id in receiver.ids("customer.created"))
    world.quiet()
    assert world.v1.events.list({"delivery_success": False}).data == []
    assert len(world.v1.events.list({"delivery_success": True}).data) == 2


def test_events_are_listed_newest_first_by_type_and_time(world: World) -> None:
    for moment in ("2026-01-01T00:00:00Z", "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z"):
        world.tell("clock", {"now": moment})
        world.v1.customers.create({"description": moment})
        world.v1.setup_intents.create({})
    listed = world.v1.events.list({"types": ["customer.created", "customer.updated"]}).data
    assert [event.data.object.description[:10] for event in listed] == ["2026-01-20", "2026-01-10", "2026-01-01"]
    since = 1_768_000_000
    assert len(world.v1.events.list({"type": "customer.created", "created": {"gte": since}}).data) == 2
    newer = world.v1.events.list({"type": "customer.created", "ending_before": listed[1].id}).data
    assert [event.id for event in newer] == [listed[0].id]
    page = world.v1.events.list({"type": "customer.created", "limit": 1, "starting_after": listed[0].id})
    assert ([event.id for event in page.data], page.has_more) == ([listed[1].id], True)
    assert world.v1.events.retrieve(listed[0].id).type == "customer.created"


def test_events_older_than_thirty_days_are_gone(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    world.v1.customers.create({})
    event = world.v1.events.list().data[0]
    world.tell("clock", {"now": "2026-01-31T00:00:01Z"})
    assert world.v1.events.list().data == []
    assert refusal(lambda: world.v1.events.retrieve(event.id)).code == "resource_missing"
