"""The redactor: what must not be logged goes, by name or by shape; what explains a failure stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing.privacy.redaction import REDACTED, redact, redact_error, redact_text
from tests.privacy.cards import card

LONG = "a1B2" * 6
CARD = card("4", 16)
MAIL = "ada.lovelace" + "@" + "example.co.uk"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"charged {CARD} for {MAIL}", f"charged {REDACTED} for {REDACTED}"),
        (
            f"postgresql://billing:{LONG}@db.internal.example/x",
            f"postgresql://billing:{REDACTED}@db.internal.example/x",
        ),
        (f"key {'sk_' + 'live_' + LONG} refused", f"key {REDACTED} refused"),
        ("invoice INV-1 of 12.34 EUR declined: insufficient_funds", None),
        ("", None),
    ],
)
def test_shapes_are_taken_out_of_text_and_the_rest_stays(text: str, expected: str | None) -> None:
    assert redact_text(text) == (text if expected is None else expected)


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact_text(f"password={LONG} Bearer {LONG} {MAIL} {CARD}")
    assert redact_text(once) == once
    assert LONG not in once


@pytest.mark.parametrize(
    "name",
    [
        *("password", "client_secret", "Authorization", "Stripe-Signature", "api_key", "apiKey", "email"),
        *("customer_email", "billing.address", "phone", "ipAddress", "last_name", "lastName", "tax_id"),
        *("set-cookie", "broker_dsn", "token", "X-Api-Key", "sslpassword", "PGPASSWORD"),
    ],
)
def test_a_telling_name_hides_its_value(name: str) -> None:
    assert redact({name: "plain-looking"}) == {name: REDACTED}
    assert redact({name: {"line1": "plain-looking"}}) == {name: REDACTED}


@pytest.mark.parametrize("name", ["task_name", "event", "status", "decline_code", "invoice", "key_age_s", "panel"])
def test_an_ordinary_name_shows_its_value(name: str) -> None:
    assert redact({name: "plain"}) == {name: "plain"}


def test_numbers_ids_and_instants_stay_also_a_fencing_token() -> None:
    facts: dict[str, Any] = {
        "token": 7,
        "email_sent": True,
        "id": UUID(int=5),
        "at": datetime(2026, 1, 31, tzinfo=UTC),
        "unit": Decimal("0.5"),
        "none": None,
    }
    assert redact(facts) == facts


def test_a_card_number_is_hidden_even_as_an_integer() -> None:
    assert redact({"count": int(CARD)}) == {"count": REDACTED}


def test_nested_values_keys_and_unknown_objects_are_reached() -> None:
    @dataclass
    class Holder:
        note: str

    found = redact({"outer": [{"inner": (MAIL, Holder(MAIL))}], MAIL: 1, (MAIL, 2): 3, "raw": MAIL.encode()})
    assert MAIL not in repr(found)
    assert "Holder" in repr(found)


def test_depth_and_length_are_bounded() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "[too deep]" in repr(redact(endless))
    assert len(redact(list(range(5000)))) == 200


def test_an_error_becomes_one_short_line_without_its_secrets() -> None:
    line = redact_error(ValueError(f"cannot reach redis://:{LONG}@cache for {MAIL} " + "x" * 1000))
    assert line.startswith(f"ValueError: cannot reach redis://:{REDACTED}@cache for {REDACTED} xxx")
    assert len(line) == 500
    assert redact_error(TimeoutError()) == "TimeoutError"
    several = ExceptionGroup("not read", [ValueError(f"of {MAIL}"), ExceptionGroup("nor these", [TimeoutError()])])
    assert redact_error(several) == f"not read: ValueError: of {REDACTED}; nor these: TimeoutError"
