"""Idempotency keys: the first answer for a day, whatever it was, and never a second effect."""

from __future__ import annotations

import threading

import pytest
import stripe

from tests.sandbox.stripe.making import World, client_of, refusal


def outcome_of(world: World, order: dict[str, object], key: str) -> tuple[int | None, str | None]:
    """The status of a charge under this key, and whether it was a replay."""
    try:
        answer = world.v1.payment_intents.create(order, {"idempotency_key": key})
    except stripe.StripeError as error:
        return error.http_status, (error.headers or {}).get("Idempotent-Replayed")
    return 200, answer.last_response.headers.get("Idempotent-Replayed")


def test_the_same_request_is_done_once_and_answered_twice(world: World) -> None:
    order = world.order()
    first = world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    again = world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    assert again.to_dict() == first.to_dict()
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert len(world.see("charges")) == 1


def test_a_decline_is_replayed_too(world: World) -> None:
    order = world.order("pm_card_chargeDeclined")
    assert outcome_of(world, order, "k") == (402, None)
    assert outcome_of(world, order, "k") == (402, "true")
    assert len(world.see("charges")) == 1


def test_other_parameters_under_a_key_are_an_error(world: World) -> None:
    order = world.order()
    world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    error = refusal(
        lambda: world.v1.payment_intents.create({**order, "amount": 2000}, {"idempotency_key": "k"}),
        stripe.IdempotencyError,
    )
    assert (error.http_status, error.error.type) == (400, "idempotency_error")


def test_another_path_under_a_key_is_an_error(world: World) -> None:
    world.v1.customers.create({}, {"idempotency_key": "k"})
    refusal(lambda: world.v1.setup_intents.create({}, {"idempotency_key": "k"}), stripe.IdempotencyError)


def test_keys_are_by_account(world: World) -> None:
    mine = world.v1.customers.create({}, {"idempotency_key": "k"})
    other = client_of(world.url, key="sk_test_other").v1.customers.create({}, {"idempotency_key": "k"})
    assert mine.id != other.id


def test_a_key_whose_first_request_still_runs_is_refused_and_not_used_up(world: World) -> None:
    order = world.order()
    world.fault("slow", ms=600, path="/v1/payment_intents")
    started = threading.Thread(target=outcome_of, args=(world, order, "k"))
    started.start()
    while not world.see("faults")[0]["hits"]:
        pass
    error = refusal(lambda: world.v1.payment_intents.create(order, {"idempotency_key": "k"}), stripe.APIError)
    assert (error.http_status, error.error.code) == (409, "idempotency_key_in_use")
    assert error.headers["Stripe-Should-Retry"] == "true"
    started.join()
    assert outcome_of(world, order, "k") == (200, "true")


def test_a_saved_500_is_replayed_whether_or_not_the_money_moved(world: World) -> None:
    for kind, charges in (("error_500_before", 0), ("error_500_after", 1)):
        order = world.order()
        world.fault(kind, path="/v1/payment_intents")
        assert outcome_of(world, order, kind) == (500, None)
        assert outcome_of(world, order, kind) == (500, "true")
        assert len(world.see("charges")) == charges


def test_rate_limits_and_validation_errors_do_not_use_a_key_up(world: World) -> None:
    order = world.order()
    world.fault("rate_limit", path="/v1/payment_intents")
    assert outcome_of(world, order, "k") == (429, None)
    assert outcome_of(world, {**order, "amount": 1}, "k") == (400, None)
    assert outcome_of(world, {**order, "nonsense": "x"}, "k") == (400, None)
    assert outcome_of(world, order, "k") == (200, None)


def test_an_error_of_a_begun_execution_is_kept(world: World) -> None:
    paid = world.pay()
    confirm = {"payment_method": "pm_card_visa"}
    for replayed in (None, "true"):
        error = refusal(lambda: world.v1.payment_intents.confirm(paid.id, confirm, {"idempotency_key": "k"}))
        assert (error.headers or {}).get("Idempotent-Replayed") == replayed


def test_a_key_is_forgotten_after_a_day_of_the_stand_ins_clock(world: World) -> None:
    order = world.order()
    world.tell("clock", {"now": "2026-01-31T12:00:00Z"})
    assert outcome_of(world, order, "k") == (200, None)
    world.tell("clock", {"now": "2026-02-01T11:59:59Z"})
    assert outcome_of(world, order, "k") == (200, "true")
    world.tell("clock", {"now": "2026-02-01T12:00:00Z"})
    assert outcome_of(world, order, "k") == (200, None)
    assert len(world.see("charges")) == 2


def test_a_key_is_at_most_255_characters(world: World) -> None:
    refusal(lambda: world.v1.customers.create({}, {"idempotency_key": "k" * 256}))
    assert world.v1.customers.create({}, {"idempotency_key": "k" * 255})


@pytest.mark.parametrize("senders", [8])
def test_many_senders_of_one_key_make_one_charge(world: World, senders: int) -> None:
    order = world.order()
    seen: list[tuple[int | None, str | None]] = []
    threads = [threading.Thread(target=lambda: seen.append(outcome_of(world, order, "k"))) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.see("charges")) == 1
    assert {status for status, _ in seen} <= {200, 409}
    assert seen.count((200, None)) == 1
