"""Webhook signatures: whose, how old, and over which bytes. The SDK's own signer is the second opinion."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from billing.kernel.errors import Refused
from billing.providers.stripe.signature import MAX_SIGNATURES, TOLERANCE_S, verify_event

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NEW, OLD, OTHER = "whsec_new", "whsec_old", "whsec_of_another_endpoint"


def body(**changes: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_772_366_400,
        "livemode": False,
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "receipt_email": "someone@example.org"}},
    }
    return json.dumps(event | changes).encode()


def signed(raw: bytes, secret: str = NEW, *, at: datetime = NOW) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(raw.decode(), secret, int(at.timestamp())))


def code_of(raw: bytes, header: str, secrets: list[str], now: datetime = NOW) -> str:
    with pytest.raises(Refused) as refusal:
        verify_event(raw=raw, signature=header, secrets=secrets, wall_now=now)
    return refusal.value.code


def test_a_signed_delivery_is_reduced_to_what_we_act_on() -> None:
    raw = body()
    facts = verify_event(raw=raw, signature=signed(raw), secrets=[NEW], wall_now=NOW)
    assert (facts.event_ref, facts.type) == ("evt_1", "payment_intent.succeeded")
    assert (facts.object_ref, facts.object_type) == ("pi_1", "payment_intent")
    assert facts.created == datetime.fromtimestamp(1_772_366_400, UTC)
    assert (facts.livemode, facts.secret_index) == (False, 0)
    assert "someone" not in repr(facts)


@pytest.mark.parametrize(
    ("type_", "error", "charge_ref"),
    [
        ("payment_intent.payment_failed", {"code": "card_declined", "charge": "ch_1"}, "ch_1"),
        ("payment_intent.payment_failed", {"code": "resource_missing"}, None),
        ("payment_intent.payment_failed", None, None),
        # What else became of the intent is news, whichever charge failed before.
        ("payment_intent.canceled", {"code": "card_declined", "charge": "ch_1"}, None),
        ("payment_intent.requires_action", {"code": "card_declined", "charge": "ch_1"}, None),
    ],
)
def test_only_a_failure_names_the_charge_that_it_tells_of(
    type_: str, error: dict[str, str] | None, charge_ref: str | None
) -> None:
    intent = {"id": "pi_1", "object": "payment_intent", "last_payment_error": error}
    raw = body(type=type_, data={"object": intent})
    facts = verify_event(raw=raw, signature=signed(raw), secrets=[NEW], wall_now=NOW)
    assert facts.charge_ref == charge_ref


def test_during_a_rotation_either_secret_verifies_and_is_named() -> None:
    raw = body()
    both = [NEW, OLD]
    assert verify_event(raw=raw, signature=signed(raw, OLD), secrets=both, wall_now=NOW).secret_index == 1
    assert verify_event(raw=raw, signature=signed(raw, NEW), secrets=both, wall_now=NOW).secret_index == 0
    twice = f"{signed(raw, OLD)},{signed(raw, NEW).partition(',')[2]}"
    assert verify_event(raw=raw, signature=twice, secrets=both, wall_now=NOW).secret_index == 0


@pytest.mark.parametrize("seconds", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_a_stamp_within_the_tolerance_passes_on_both_sides(seconds: int) -> None:
    raw = body()
    header = signed(raw, at=NOW + timedelta(seconds=seconds))
    assert verify_event(raw=raw, signature=header, secrets=[NEW], wall_now=NOW).event_ref == "evt_1"


@pytest.mark.parametrize("seconds", [-TOLERANCE_S - 1, TOLERANCE_S + 1, 86_400])
def test_an_old_or_a_future_stamp_is_refused(seconds: int) -> None:
    raw = body()
    assert code_of(raw, signed(raw, at=NOW + timedelta(seconds=seconds)), [NEW]) == "stale_signature"


def test_another_endpoints_secret_does_not_verify() -> None:
    raw = body()
    assert code_of(raw, signed(raw, OTHER), [NEW, OLD]) == "bad_signature"


def test_one_changed_byte_does_not_verify() -> None:
    raw = body()
    assert code_of(raw.replace(b"pi_1", b"pi_2"), signed(raw), [NEW]) == "bad_signature"
    assert code_of(raw + b" ", signed(raw), [NEW]) == "bad_signature"


@pytest.mark.parametrize("secrets", [[], [""], ["  ", "\n"]])
def test_without_a_secret_nothing_is_ever_accepted(secrets: list[str]) -> None:
    raw = body()
    assert code_of(raw, signed(raw, ""), secrets) == "no_secret"


def test_an_empty_secret_beside_a_real_one_verifies_nothing_but_keeps_the_places() -> None:
    raw = body()
    assert code_of(raw, signed(raw, ""), ["", NEW]) == "bad_signature"
    assert verify_event(raw=raw, signature=signed(raw), secrets=["", NEW], wall_now=NOW).secret_index == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=" + "0" * 64,
        "t=,v1=" + "0" * 64,
        "t=soon,v1=" + "0" * 64,
        "t=-5,v1=" + "0" * 64,
        "t=1,t=2,v1=" + "0" * 64,
        "t=1,v0=" + "0" * 64,
        "t=1,v1=ünïcode",
        "t=" + "9" * 40 + ",v1=" + "0" * 64,
        "t=٣,v1=" + "0" * 64,
        "\x00",
    ],
)
def test_a_malformed_header_is_a_bad_signature(header: str) -> None:
    assert code_of(body(), header, [NEW]) == "bad_signature"


def test_ten_thousand_signatures_are_refused_at_once_even_with_a_true_one_among_them() -> None:
    raw = body()
    started = time.thread_time()
    header = signed(raw) + ",v1=" + ",v1=".join(["0" * 64] * 10_000)
    assert code_of(raw, header, [NEW]) == "bad_signature"
    many = signed(raw) + "".join(f",v1={'0' * 64}" for _ in range(MAX_SIGNATURES))
    assert code_of(raw, many, [NEW]) == "bad_signature"
    assert time.thread_time() - started < 1


def signed_bytes(raw: bytes) -> str:
    stamp = int(NOW.timestamp())
    return f"t={stamp},v1={hmac.new(NEW.encode(), b'%d.%b' % (stamp, raw), hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe not utf-8",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        body(object="v2.core.event"),
        body(id=None),
        body(type=7),
        body(livemode="no"),
        body(created=True),
        body(created=10**30),
        body(data=None),
        body(data={"object": []}),
        body(data={"object": {"id": "pi_1"}}),
    ],
)
def test_signed_bytes_that_are_no_event_are_refused_as_such(raw: bytes) -> None:
    assert code_of(raw, signed_bytes(raw), [NEW]) == "bad_event"


def test_bytes_that_are_not_text_and_not_signed_are_a_bad_signature_not_a_crash() -> None:
    assert code_of(b"\xff\xfe", "t=1,v1=" + "0" * 64, [NEW]) == "bad_signature"


def test_an_object_without_an_id_is_still_an_event() -> None:
    raw = body(type="balance.available", data={"object": {"object": "balance"}})
    facts = verify_event(raw=raw, signature=signed(raw), secrets=[NEW], wall_now=NOW)
    assert (facts.object_ref, facts.object_type) == ("", "balance")
