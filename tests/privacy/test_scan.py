"""Detectors: they find what must not be there, and leave ids, amounts and times alone."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.ids import new_ids
from billing.privacy.scan import find_card_numbers, find_secrets
from tests.privacy.cards import card


def wrong(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


KINDS = [("4", 16), ("4", 13), ("4", 19), ("52", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15)]
KINDS += [("36", 14), ("305", 14), ("3528", 16), ("6011", 16), ("65", 16), ("62", 19), ("5018", 12), ("6763", 19)]


@pytest.mark.parametrize(("prefix", "length"), KINDS)
def test_a_number_of_each_issuer_is_found(prefix: str, length: int) -> None:
    number = card(prefix, length)
    text = f'{{"note": "pay with {number}."}}'
    (hit,) = find_card_numbers(text)
    assert text[hit.start : hit.end] == number
    assert hit.kind == "card_number"


@pytest.mark.parametrize("separator", [" ", "-"])
def test_a_number_written_in_groups_is_found(separator: str) -> None:
    four = re.findall("....", card("4", 16))
    amex = card("37", 15)
    for groups in (four, [amex[:4], amex[4:10], amex[10:]]):
        text = f"card: {separator.join(groups)}, thanks"
        (hit,) = find_card_numbers(text)
        assert text[hit.start : hit.end] == separator.join(groups)


@pytest.mark.parametrize(
    "text",
    [
        wrong(card("4", 16)),
        card("4", 15),
        card("1", 16),
        card("34", 16),
        "x" + card("4", 16),
        card("4", 16) + "x",
        "9" + card("4", 16) + "000",
        f'{{"runtime": 0.{card("52", 16)}}}',
        card("4", 16)[:4] + "  " + card("4", 16)[4:],
        "2026-01-31T09:00:00.123456Z 1769850000000000",
        "0" * 16,
    ],
)
def test_what_lacks_bounds_prefix_length_or_check_digit_is_left_alone(text: str) -> None:
    assert find_card_numbers(text) == []


@given(st.uuids())
def test_no_random_id_is_taken_for_a_card(value: UUID) -> None:
    assert find_card_numbers(f"invoice {value} issued") == []


def test_none_of_our_own_ids_is_taken_for_a_card() -> None:
    assert find_card_numbers("\n".join(str(one) for one in new_ids(2000))) == []


def test_security_codes_and_track_data_are_found_and_check_results_are_not() -> None:
    kinds = [hit.kind for hit in find_card_numbers(f'{{"cvc": "{"12" + "3"}"}} cvv2={"99" + "9"} %B{card("4", 16)}^')]
    assert sorted(kinds) == ["card_code", "card_code", "track_data"]
    assert find_card_numbers('{"cvc_check": "pass", "cvc": null}') == []


LONG = "a1B2" * 6
HEADER = b64encode(f"billing-1:{LONG}".encode()).decode()
SECRETS = [
    ("api_key", "key sk_" + "live_" + LONG, "sk_" + "live_" + LONG),
    ("api_key", "rk_" + "test_" + LONG, "rk_" + "test_" + LONG),
    ("webhook_secret", "whsec" + "_" + LONG + ";", "whsec" + "_" + LONG),
    ("client_secret", f"seti_1abc_{'secret'}_{LONG}", f"seti_1abc_{'secret'}_{LONG}"),
    ("bearer", f"Authorization: Bearer {LONG}", LONG),
    ("basic", f"authorization: basic {HEADER}", HEADER),
    ("basic", f"cut off: Basic {HEADER[:-5]}", HEADER[:-5]),
    ("dsn_password", f"postgresql://billing:{LONG}@db/billing", LONG),
    ("dsn_password", f"redis://:{LONG}@cache:6379/0", LONG),
    ("dsn_password", f"postgresql://billing:{LONG}@x@db/billing", LONG + "@x"),
    ("dsn_password", f"redis://:{LONG}/x@cache", LONG + "/x"),
    ("password", f"host=db password={LONG} dbname=billing", LONG),
    ("password", f'{{"client_{"secret"}": "{LONG}"}}', LONG),
    ("password", f"MY_API_KEY={LONG}", LONG),
    ("private_key", f"-----BEGIN PRIVATE KEY-----\n{LONG}\n-----END PRIVATE KEY-----", f"\n{LONG}\n"),
]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("secret: swordfish2", "swordfish2"),
        ("secret: sword-fish_", "sword-fish_"),
        ("secret: " + "abcdefghij" * 3, "abcdefghij" * 3),
        ("secret:swordfish", "swordfish"),
        ("secret=swordfish", "swordfish"),
        ('"secret": "swordfish"', "swordfish"),
        ("client_secret: swordfish", "swordfish"),
        ("password: swordfish", "swordfish"),
        ("Secret: Santa, secret: s3cr3t", "s3cr3t"),
    ],
)
def test_a_title_hides_no_secret(text: str, secret: str) -> None:
    assert [text[hit.start : hit.end] for hit in find_secrets(text)] == [secret]


@pytest.mark.parametrize(("kind", "text", "secret"), SECRETS)
def test_a_secret_is_found_in_its_place(kind: str, text: str, secret: str) -> None:
    places = [(hit.kind, text[hit.start : hit.end]) for hit in find_secrets(text)]
    assert (kind, secret) in places


@pytest.mark.parametrize(
    "text",
    [
        "postgresql:///billing?host=run",
        "postgresql://billing@db/billing",
        "https://api.stripe.com/v1/payment_intents",
        "http://127.0.0.1:8000/webhooks?from=a@b",
        "connected to redis://:**@127.0.0.1:6379/0",
        "connected to redis://:[redacted]@127.0.0.1:6379/0",
        "the secret is safe, the password was changed",
        "pi_3abc succeeded for pm_card_visa",
        "sk_live_ and whsec_ are prefixes",
        "Basic subscription",
        "Basic Plan2026",
        "Basic Monthly-2026",
        "basic enterprise_monthly_2026_eu",
        "Top Secret: Escape Room",
        "The Secret: Élodie's story",
        "secret: Santa",
    ],
)
def test_ordinary_text_holds_no_secret(text: str) -> None:
    assert find_secrets(text) == []


@pytest.mark.parametrize(
    "piece", ["a", "4", "://", "://a:", "pi_", "a_password", "bearer ", "4444 ", "%B4", "cvc ", "@a."]
)
def test_a_hostile_line_costs_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece)) + " _secret_ _live_ whsec_ password"
    began = time.perf_counter()
    find_card_numbers(text)
    find_secrets(text)
    # A second or less here; a pattern that backtracks over the whole line needs minutes.
    assert time.perf_counter() - began < 10
