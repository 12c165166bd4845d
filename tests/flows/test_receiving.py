"""The door for webhooks: stored once before the 2xx, sealed, and proof against every wrong delivery."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy import select, text

from billing.flows import collection
from billing.flows.receiving import Delivery, receive_all
from billing.models import LedgerEntry
from billing.queue.names import INBOX_PROCESS
from billing.sandbox.embedded.processes import wait_until
from billing.webhooks.door import take
from tests.flows.company import START, Company
from tests.flows.deliveries import deliveries, event_body, paid_unheard, post, signed, stored


def test_twenty_deliveries_at_once_are_one_row_and_one_effect(acme: Company) -> None:
    raw = event_body(acme)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(acme, raw, signed(acme, raw)), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["new"] for answer in answers) == 1
    assert len(stored(acme)) == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("other_secret", 400, "bad_signature"),
        ("old_stamp", 400, "stale_signature"),
        ("future_stamp", 400, "stale_signature"),
        ("no_signature", 400, "bad_signature"),
        ("live_event", 400, "wrong_mode"),
        ("too_large", 413, "body_too_large"),
        ("invalid_utf8", 400, "bad_event"),
    ],
)
def test_a_wrong_delivery_is_refused_and_nothing_is_stored(acme: Company, change: str, status: int, code: str) -> None:
    raw = event_body(acme)
    if change == "live_event":
        raw = raw.replace(b'"livemode": false', b'"livemode": true')
    if change == "too_large":
        raw = b" " * (acme.parts.settings.billing_webhook_body_limit + 1)
    if change == "invalid_utf8":
        raw = b'{"id": "\xff\xfe"}'
    secret = "whsec_" + "x" * 20 if change == "other_secret" else None
    ages = {"old_stamp": -301.0, "future_stamp": 400.0}
    headers = signed(acme, raw, secret=secret, at=time.time() + ages[change] if change in ages else None)
    if change == "no_signature":
        del headers["Stripe-Signature"]
    answer = post(acme, raw, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert stored(acme) == []


@pytest.mark.parametrize("said", [None, "", "text/plain", "application/octet-stream"])
def test_a_signature_counts_whatever_type_the_body_is_said_to_be(acme: Company, said: str | None) -> None:
    raw = event_body(acme, type_="some.new_thing")
    forged = {**signed(acme, raw, secret="whsec_" + "x" * 20), "Content-Type": said}
    assert post(acme, raw, forged).status_code == 400
    assert stored(acme) == []
    assert post(acme, raw, {**signed(acme, raw), "Content-Type": said}).status_code == 200
    acme.settle()
    assert [event.status for event in stored(acme)] == ["ignored"]


def test_without_a_configured_secret_the_door_is_closed(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = event_body(acme)
    headers = signed(acme, raw)
    answer = requests.post(f"{acme.receiver}/webhooks/stripe/other", data=raw, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "provider_not_configured")
    assert stored(acme) == []


def test_a_stored_body_is_sealed(acme: Company) -> None:
    raw = event_body(acme, object_ref="pi_sealed_body")
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    (event,) = stored(acme)
    assert event.body is not None
    assert b"pi_sealed_body" not in event.body
    assert event.body_hash == hashlib.sha256(raw).digest()


def test_an_unknown_type_is_kept_and_ignored(acme: Company) -> None:
    raw = event_body(acme, type_="some.new_thing")
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    acme.settle()
    (event,) = stored(acme)
    assert (event.status, event.next_try_at) == ("ignored", None)


def test_a_broker_that_is_down_changes_nothing_for_the_provider(acme: Company) -> None:
    raw = event_body(acme, type_="some.new_thing")

    def down(_messages: object) -> None:
        raise ConnectionError("broker is down")

    acme.line.send = down  # type: ignore[method-assign]
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    (event,) = stored(acme)
    assert event.status == "received"
    assert INBOX_PROCESS.queue == "webhooks"
    assert isinstance(event.id, UUID)
    assert collection.plan(acme.parts) == 0


def test_deliveries_that_come_together_are_stored_or_refused_each_by_itself(acme: Company) -> None:
    good, other = event_body(acme), event_body(acme, ref="evt_test2")
    live = event_body(acme, ref="evt_live").replace(b'"livemode": false', b'"livemode": true')
    forged = Delivery(event_body(acme, ref="evt_forged"), signed(acme, good)["Stripe-Signature"])
    together = [*deliveries(acme, good, live, good), forged, *deliveries(acme, other)]
    answers = take(acme.parts, "stripe", "default", together)
    assert [status for _, status in answers] == [200, 400, 200, 400, 200]
    assert [body["new"] for body, status in answers if status == 200] == [True, False, True]
    assert [event.event_ref for event in stored(acme)] == ["evt_test1", "evt_test2"]


def test_while_a_secret_is_rotated_no_delivery_is_refused(acme: Company) -> None:
    (old,), new = acme.parts.settings.webhook_secrets("default"), "whsec_the_new_one"
    steps = [(old, [old]), (f"{new},{old}", [old, new]), (new, [new])]
    answers = []
    for step, (known, signing) in enumerate(steps):
        settings = acme.parts.settings.model_copy(update={"stripe_webhook_secret": SecretStr(known)})
        parts = replace(acme.parts, settings=settings)
        for place, secret in enumerate(signing):
            raw = event_body(acme, ref=f"evt_{step}_{place}", type_="some.new_thing")
            delivery = Delivery(raw, signed(acme, raw, secret=secret)["Stripe-Signature"])
            answers += [status for _, status in take(parts, "stripe", "default", [delivery])]
    # While both live, the provider signs with each of them.
    raw = event_body(acme, ref="evt_both", type_="some.new_thing")
    first, second = (signed(acme, raw, secret=each, at=time.time())["Stripe-Signature"] for each in (old, new))
    both = Delivery(raw, f"{first},{second.partition(',')[2]}")
    answers += [status for _, status in take(acme.parts, "stripe", "default", [both])]
    assert answers == [200] * 5
    assert [event.secret_index for event in stored(acme)] == [0, 1, 0, 0, 0]


def test_a_thousand_deliveries_over_time_are_one_row_and_one_effect(acme: Company) -> None:
    intent = paid_unheard(acme)
    (delivery,) = deliveries(acme, event_body(acme, ref="evt_often", object_ref=intent))
    new = 0
    for place in range(20):
        answers = take(acme.parts, "stripe", "default", [delivery] * 50)
        new += sum(body["new"] for body, status in answers if status == 200)
        if place in (4, 12):
            acme.settle()
    acme.settle()
    assert new == 1
    (event,) = [event for event in stored(acme) if event.event_ref == "evt_often"]
    assert (event.status, event.tries) == ("processed", 1)
    with acme.begin() as session:
        assert len(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "payment")).all()) == 1


_ODD = {
    "nul": ('"evt_odd"', '"evt\\u0000odd"'),
    "nul_in_type": ('"payment_intent.succeeded"', '"a\\u0000b"'),
    "half_a_letter": ('"evt_odd"', '"evt\\ud800odd"'),
    "half_a_letter_in_object": ('"pi_none"', '"pi\\udfff"'),
    "far_future": (f'"created": {int(START.timestamp())}', f'"created": 1{"0" * 20}'),
    "before_time": (f'"created": {int(START.timestamp())}', f'"created": -1{"0" * 20}'),
    "no_number": (f'"created": {int(START.timestamp())}', '"created": NaN'),
    "long_number": (f'"created": {int(START.timestamp())}', f'"created": {"9" * 5000}'),
    "truth_for_a_number": (f'"created": {int(START.timestamp())}', '"created": true'),
    "long_id": ('"evt_odd"', f'"evt_{"x" * 5000}"'),
    "long_type": ('"payment_intent.succeeded"', f'"{"x" * 5000}"'),
    "deep": ('"object": "payment_intent"', f'"object": {"[" * 100_000}{"]" * 100_000}'),
}


@pytest.mark.parametrize("odd", _ODD)
def test_a_signed_body_that_can_not_be_kept_is_refused_and_takes_no_other_along(acme: Company, odd: str) -> None:
    raw = event_body(acme, ref="evt_odd").replace(*(each.encode() for each in _ODD[odd]))
    assert raw != event_body(acme, ref="evt_odd")
    good = event_body(acme)
    answers = take(acme.parts, "stripe", "default", deliveries(acme, raw, good))
    assert [(status, body.get("error", {}).get("code")) for body, status in answers] == [
        (400, "bad_event"),
        (200, None),
    ]
    assert [event.event_ref for event in stored(acme)] == ["evt_test1"]


_ONE_THEN_WAIT = (
    """
    CREATE FUNCTION billing.one_then_wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF current_setting('test.rows', true) = 'one' THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
        PERFORM set_config('test.rows', 'one', true);
        RETURN NEW;
    END$$
    """,
    """
    CREATE TRIGGER one_then_wait BEFORE INSERT ON billing.provider_event
    FOR EACH ROW EXECUTE FUNCTION billing.one_then_wait()
    """,
)
"""Who stores several events waits after the first."""
_BOTH_WAIT = text(
    "SELECT count(*) >= 2 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_the_same_events_at_once_in_another_order_are_stored_once_and_nobody_waits_in_a_ring(acme: Company) -> None:
    """As where the provider's list is read while its deliveries arrive together."""
    first, second, earlier = (event_body(acme, ref=f"evt_{name}") for name in "ab1")
    take(acme.parts, "stripe", "default", deliveries(acme, earlier))
    with acme.parts.begin() as session:
        for each in _ONE_THEN_WAIT:
            session.execute(text(each))

    def both_wait() -> bool:
        with acme.parts.begin() as session:
            return bool(session.scalar(_BOTH_WAIT))

    with ThreadPoolExecutor(2) as pool:
        with acme.parts.begin() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(4711)"))
            given = deliveries(acme, first, second), deliveries(acme, second, first)
            receive = partial(receive_all, acme.parts, provider="stripe", code="default")
            taken = [pool.submit(receive, deliveries=each) for each in given]
            assert wait_until(both_wait, seconds=10)
        answers = [each.result(timeout=15) for each in taken]
    assert sorted(answers) == [[False, False], [True, True]]
    assert sorted(each.event_ref for each in stored(acme)) == ["evt_1", "evt_a", "evt_b"]
