"""Detectors: they find what must not be there, and leave ids, amounts and times alone."""

from __future__ import annotations

import re
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.ids import new_ids
from billing.privacy.scan import find_card_numbers, find_credentials, find_secrets
from tests.privacy.cards import card
from tests.privacy.credentials import HEADER, LONG, SECRETS


def wrong(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


KINDS = [("4", 16), ("4", 13), ("4", 19), ("52", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15)]
KINDS += [("36", 14), ("305", 14), ("3528", 16), ("6011", 16), ("65", 16), ("62", 19), ("5018", 12), ("6763", 19)]
KINDS += [("309", 16), ("39", 19), ("3589", 18), ("644", 17), ("81", 16)]


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
    ],
)
def test_ordinary_text_holds_no_secret(text: str) -> None:
    assert find_secrets(text) == []


CATALOGUE = [
    "Secret: x",
    "Secret: Garden",
    "Top Secret: Mystery Box (2026)",
    "Secret : le jardin",
    "Geheim/Secret: Schlüssel-Set",
    "Secret: 3D-Puzzle, 1000 pieces",
    "Secret: Plan2026",
    "Secret: Monthly-2026",
    'The "Secret: Garden" of roses',
    "Password: Swordfish (the board game)",
    "Password: 'Swordfish'",
    "password manager",
    "Password manager: Premium",
    "1Password: Teams",
    "Pwd: training",
    "Apikey: unlimited",
    "API-Key: unlimited",
    "Bearer Monthly-2026",
    "Standard bearer instruments. Per piece",
    "Basic Monthly-2026",
    '{"name": "Secret: Garden", "description": "Password: the Musical"}',
]


@pytest.mark.parametrize("text", CATALOGUE)
def test_what_a_seller_may_call_a_product_is_no_credential(text: str) -> None:
    assert find_credentials(text) == []


CREDENTIALS = [
    "password=swordfish",
    "PASSWORD = swordfish",
    "secret=garden;",
    "password:swordfish",
    '{"password": "swordfish"}',
    "{'secret': 'garden'}",
    "client_secret: garden",
    "api_key: unlimited",
    f"password: {LONG}",
    f"Secret: {LONG}",
    f"secret: '{LONG[:9]}'",
    "password: p@ss!word",
    "Authorization: Bearer correct-horse-battery",
    f"Bearer {LONG}",
    f"bearer one-{LONG}-2026",
    f"Basic {HEADER}",
    "https://shop:swordfish@example.com/",
]


@pytest.mark.parametrize("text", [*CREDENTIALS, *(text for _, text, _ in SECRETS)])
def test_a_credential_stays_one(text: str) -> None:
    assert find_credentials(text) != []


def test_a_log_shows_less_than_the_audit_accuses() -> None:
    assert [hit.kind for hit in find_secrets("Password: Swordfish")] == ["password"]


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "4",
        "://",
        "://a:",
        "pi_",
        "a_password",
        "bearer ",
        "4444 ",
        "%B4",
        "cvc ",
        "@a.",
        "Secret: a",
        "bearer a-1",
    ],
)
def test_a_hostile_line_costs_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece)) + " _secret_ _live_ whsec_ password"
    began = time.perf_counter()
    find_card_numbers(text)
    find_credentials(text)
    # A second or less here; a pattern that backtracks over the whole line needs minutes.
    assert time.perf_counter() - began < 10


def test_a_hostile_value_costs_linear_time() -> None:
    began = time.perf_counter()
    assert find_credentials("Secret: a" + "!" * 200_000 + "a") != []
    assert time.perf_counter() - began < 10
