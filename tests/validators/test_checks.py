"""Every rule that nouns share, by table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.privacy.scan import find_card_numbers
from billing.queries.audit.secrets import _without_ours
from billing.validators.card_number import holds_card_number
from billing.validators.checks import Checks
from billing.validators.countries import COUNTRIES
from tests.privacy.cards import card
from tests.privacy.test_scan import KINDS as CARDS


def _codes(check: Callable[[Checks], None]) -> list[str]:
    checks = Checks()
    check(checks)
    return [fault.code for fault in checks.faults]


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("Nordlicht Werkzeugbau", []),
        ("株式会社あおぞら", []),
        ("می‌خواهم", []),  # Persian needs its zero-width non-joiner
        ("", ["missing"]),
        ("   ", ["missing"]),
        (None, ["missing"]),
        ("\u200f", ["missing"]),
        ("\u00ad \u200b", ["missing"]),
        ("½", []),
        ("x" * 11, ["too_long"]),
        (" x", ["space_around"]),
        ("a\nb", ["control_character"]),
        ("a\u202eb", ["control_character"]),
        ("a\x00b", ["control_character"]),
        ("a\ud800b", ["control_character"]),
    ],
)
def test_text(value: str | None, codes: list[str]) -> None:
    most = 10 if value == "x" * 11 else 100
    assert _codes(lambda checks: checks.text("name", value, most=most)) == codes


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("basic-month", []),
        ("a.b:c/d_e", []),
        ("", ["missing"]),
        ("-a", ["not_a_code"]),
        ("ä", ["not_a_code"]),
        ("a b", ["not_a_code"]),
    ],
)
def test_code(value: str, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.code("code", value)) == codes


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        (None, []),
        ("ada@example.com", []),
        ("用户@例子.example", []),
        ("ada@localhost", ["not_an_email"]),
        ("ada", ["not_an_email"]),
        ("a@b@example.com", ["not_an_email"]),
        ("a b@example.com", ["not_an_email"]),
        ("ada@example.com,bob@example.com", ["not_an_email"]),
    ],
)
def test_email(value: str | None, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.email("email", value)) == codes


@pytest.mark.parametrize(("value", "known"), [("DE", True), ("GR", True), ("EL", False), ("de", False), ("", False)])
def test_country(value: str, known: bool) -> None:  # noqa: FBT001
    assert _codes(lambda checks: checks.country("country", value)) == ([] if known else ["unknown_country"])


def test_there_are_249_countries() -> None:
    assert len(COUNTRIES) == 249


@pytest.mark.parametrize(("value", "known"), [("eur", True), ("jpy", True), ("EUR", False), ("xxx", False)])
def test_currency(value: str, known: bool) -> None:  # noqa: FBT001
    assert _codes(lambda checks: checks.currency("currency", value)) == ([] if known else ["unknown_currency"])


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("Europe/Berlin", True),
        ("UTC", True),
        ("Mars/Base", False),
        ("", False),
        ("../etc", False),
        ("localtime", False),
        ("Factory", False),
        ("posixrules", False),
        ("posix/Europe/Berlin", False),
        ("right/Europe/Berlin", False),
    ],
)
def test_timezone(value: str, known: bool) -> None:  # noqa: FBT001
    assert _codes(lambda checks: checks.timezone("timezone", value)) == ([] if known else ["unknown_timezone"])


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("0", []),
        ("0.5", []),
        ("1000", []),
        ("-1", ["negative"]),
        ("NaN", ["not_a_number"]),
        ("Infinity", ["not_a_number"]),
        ("1e15", ["too_large"]),
        ("0.0000000000001", ["too_precise"]),
        ("1.0000000000000000", []),
        ("999999999999999.9999999999999999999", ["too_precise"]),
        ("1e-12", []),
        ("1.00000000000000000000000000000001", ["too_precise"]),
        ("0e-99999999", []),
    ],
)
def test_unit_amount(value: str, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.unit_amount("amount", Decimal(value))) == codes


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("0", []),
        ("19", []),
        ("5.5", []),
        ("100", ["percent_range"]),
        ("-1", ["percent_range"]),
        ("NaN", ["not_a_number"]),
        ("1.00001", ["too_precise"]),
    ],
)
def test_percent(value: str, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.percent("percent", Decimal(value))) == codes


@pytest.mark.parametrize(
    ("unit", "count", "codes"),
    [
        ("month", 1, []),
        ("year", 2, []),
        ("fortnight", 1, ["not_one_of"]),
        ("month", 0, ["out_of_range"]),
        ("month", 1001, ["out_of_range"]),
        ("x", 0, ["not_one_of", "out_of_range"]),
    ],
)
def test_interval(unit: str, count: int, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.interval("interval", unit, "count", count)) == codes


@pytest.mark.parametrize(
    ("at", "codes"),
    [
        (datetime(2026, 1, 1), ["time_without_offset"]),
        (datetime(1000, 1, 1, tzinfo=UTC), []),
        (datetime(2026, 1, 1, tzinfo=UTC), []),
        (datetime(7999, 12, 31, 23, 59, tzinfo=UTC), []),
        (datetime(999, 12, 31, 23, 59, tzinfo=UTC), ["out_of_range"]),
        (datetime(8000, 1, 1, tzinfo=UTC), ["out_of_range"]),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), ["out_of_range"]),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14))), ["out_of_range"]),
    ],
)
def test_a_time_needs_an_offset_and_a_year_in_which_one_bills(at: datetime, codes: list[str]) -> None:
    assert _codes(lambda checks: checks.instant("at", at)) == codes


def test_all_faults_are_raised_together() -> None:
    checks = Checks()
    checks.country("country", "XX")
    checks.currency("currency", "EUR")
    with pytest.raises(Refused) as refusal:
        checks.done()
    assert [fault.field for fault in refusal.value.faults] == ["country", "currency"]


def _card_number(prefix: str, length: int) -> str:
    """Digits with a right check digit, made here so that none stands in the repository."""
    body = prefix.ljust(length - 1, "0")
    total = sum((int(d) * 2 - 9 * (int(d) > 4)) if place % 2 == 0 else int(d) for place, d in enumerate(reversed(body)))
    return body + str(-total % 10)


@pytest.mark.parametrize(
    ("prefix", "length"), [("4", 16), ("4", 13), ("34", 15), ("55", 16), ("2221", 16), ("36", 14), ("62", 19)]
)
def test_a_card_number_is_seen_plain_spaced_and_dashed(prefix: str, length: int) -> None:
    number = _card_number(prefix, length)
    spaced = " ".join(number[at : at + 4] for at in range(0, length, 4))
    assert holds_card_number(number)
    assert holds_card_number(f"card {spaced}.")
    assert holds_card_number(spaced.replace(" ", "-"))
    assert _codes(lambda checks: checks.text("name", f"Ada {spaced}", most=100)) == ["card_number"]
    assert _codes(lambda checks: checks.code("code", number)) == ["card_number"]


_CARDS = [card(prefix, length) for prefix, length in CARDS]
_GROUPED = [f"{one[:4]} {one[4:8]} {one[8:12]} {one[12:]}" for one in _CARDS]
_BESIDES = ["cvc: 123", f"%B{_CARDS[0]}^", "0a1b2c3d-1234-4321-8765-1234567890ab"]
_PIECES = st.sampled_from([*_CARDS, *_GROUPED, *_BESIDES, *" -._éx1", "12", "1234"])


@given(st.lists(_PIECES, max_size=8).map("".join))
def test_nothing_passes_of_which_the_audit_says_that_it_must_not_be_there(text: str) -> None:
    assert holds_card_number(text) or not find_card_numbers(_without_ours(text))


@given(st.integers(0, 10**10 - 1).map("{:010}".format), st.sampled_from(["57", "58", "63"]))
def test_a_telephone_number_of_twelve_digits_is_no_card_number(digits: str, country: str) -> None:
    assert not holds_card_number(f"+{country} {digits[:3]} {digits[3:6]} {digits[6:]}")


@given(st.uuids())
def test_an_id_of_a_machine_is_no_card_number(made: UUID) -> None:
    assert not holds_card_number(f"{made}")


@pytest.mark.parametrize("where", ["x{}", "{}x", "1{}", "{}1"])
def test_digits_within_a_longer_word_are_no_card_number(where: str) -> None:
    assert not holds_card_number(where.format(_card_number("4", 19)))


def test_a_wrong_check_digit_or_prefix_is_no_card_number() -> None:
    number = _card_number("4", 16)
    assert not holds_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))
    assert not holds_card_number(_card_number("9", 16))
    assert not holds_card_number(_card_number("4", 15))
