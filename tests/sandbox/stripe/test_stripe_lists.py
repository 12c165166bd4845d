"""Lists and search."""

from __future__ import annotations

from tests.sandbox.stripe.making import CARD, World, refusal


def test_pages_tile_the_list_newest_first(world: World) -> None:
    made = [world.v1.customers.create({}).id for _ in range(7)]
    page = world.v1.customers.list({"limit": 3})
    assert page.has_more
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    backwards = world.v1.customers.list({"limit": 3, "ending_before": made[2]})
    assert [each.id for each in backwards.data] == [made[5], made[4], made[3]]
    assert backwards.has_more
    assert world.v1.customers.list({"starting_after": made[0]}).data == []


def test_a_limit_is_from_1_to_100(world: World) -> None:
    for limit in (0, 101):
        assert refusal(lambda limit=limit: world.v1.charges.list({"limit": limit})).http_status == 400


def test_intents_are_listed_by_customer_and_time(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    early = world.pay()
    world.tell("clock", {"now": "2026-02-01T00:00:00Z"})
    late = world.pay()
    assert [each.id for each in world.v1.payment_intents.list({"customer": early.customer}).data] == [early.id]
    since = {"created": {"gt": early.created, "lte": late.created}}
    assert [each.id for each in world.v1.payment_intents.list(since).data] == [late.id]
    assert [each.id for each in world.v1.payment_intents.list({"created": early.created}).data] == [early.id]


def test_search_finds_by_metadata_and_lags_behind_the_list(world: World) -> None:
    world.tell("clock", {"now": "2026-01-01T00:00:00Z"})
    world.tell("config", {"search_lag_s": 3600})
    intent = world.v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "metadata": {"payment_id": "p-9", "odd name": "x"}, **CARD}
    )
    world.v1.payment_intents.create({"amount": 500, "currency": "eur", **CARD})
    query = {"query": "metadata['payment_id']:'p-9' AND amount:500"}
    assert world.v1.payment_intents.search(query).data == []
    world.tell("clock", {"now": "2026-01-01T01:00:00Z"})
    found = world.v1.payment_intents.search(query)
    assert [each.id for each in found.data] == [intent.id]
    assert found.object == "search_result"
    assert len(world.v1.payment_intents.search({"query": "metadata['odd name']:'x'"}).data) == 1
    pages = world.v1.payment_intents.search({"query": "currency:'eur'", "limit": 1})
    assert len(list(pages.auto_paging_iter())) == 2
    assert refusal(lambda: world.v1.payment_intents.search({"query": "drop table"})).http_status == 400


def test_events_are_listed_by_a_group_of_their_types(world: World) -> None:
    world.pay()
    found = {each.type for each in world.v1.events.list({"type": "payment_intent.*"}).data}
    assert found == {"payment_intent.created", "payment_intent.succeeded"}
    assert [each.type for each in world.v1.events.list({"type": "customer.created"}).data] == ["customer.created"]
    assert world.v1.events.list({"type": "customer"}).data == []
