"""The checks that nouns share. A `Checks` collects every fault of an input and raises them together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import EXPONENTS, MOST_AMOUNT
from billing.kernel.period import IntervalUnit, zone_info
from billing.validators.card_number import holds_card_number
from billing.validators.countries import COUNTRIES

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}", re.ASCII)
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\\\"]+@[^\s@,;<>()\[\]\\\"]+\.[^\s@,;<>()\[\]\\\".]+")
UNSTORED = re.compile("[\0\ud800-\udfff]")
"""What no text of PostgreSQL's can hold."""
# Line and paragraph separators, and the marks that turn the direction of what follows: what they show is not what is.
_DECEIVING = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
EARLIEST, AFTER_LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(8000, 1, 1, tzinfo=UTC)
"""What is taken for a time. Farther out, a trial, a period or a local day would leave the calendar's 9999 years."""
_VISIBLE = frozenset("LNPS")
"""Letters, numbers, punctuation, symbols: marks of direction alone are no name on an invoice."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Those among them that are blank: fillers of Hangul, and a cell of Braille without a dot."""
_MACHINES_OWN = frozenset({"Factory", "localtime", "posixrules"})
MOST_INTERVALS = 1000
MOST_DECIMALS = 12
MOST_LINES = 12
"""Of a text that stands below a document: more would be a page of its own."""


def shows(text: str) -> bool:
    """Whether anything of it is to be seen."""
    return any(unicodedata.category(sign)[0] in _VISIBLE and sign not in _BLANK for sign in text)


class Checks:
    """Faults found so far. Each check names the input's field; `done` raises `Refused` with all of them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, field: str, code: str, mend: str) -> None:
        """Note a fault that a noun found by its own rule."""
        self.faults.append(Fault(field, code, mend))

    def done(self) -> None:
        """Raise `Refused` with every fault noted; nothing where there is none."""
        if self.faults:
            raise Refused(self.faults)

    def text(self, field: str, value: str | None, *, most: int) -> None:
        """A present line of text for people, of at most `most` characters."""
        if value is None or not shows(value):
            self.fault(field, "missing", "give a text")
            return
        self.optional_text(field, value, most=most)

    def optional_text(self, field: str, value: str | None, *, most: int) -> None:
        """A line of text, or nothing."""
        if not value:
            return
        if len(value) > most:
            self.fault(field, "too_long", f"at most {most} characters")
        if value != value.strip():
            self.fault(field, "space_around", "remove the space before or after it")
        if _hides(value):
            self.fault(field, "control_character", "remove line breaks and other characters that do not show")
        self.no_card_number(field, value)

    def lines(self, field: str, value: str | None, *, most: int) -> None:
        """Up to `MOST_LINES` lines of text, or nothing."""
        if not value:
            return
        lines = value.split("\n")
        if len(value) > most:
            self.fault(field, "too_long", f"at most {most} characters")
        if len(lines) > MOST_LINES:
            self.fault(field, "too_many_lines", f"at most {MOST_LINES} lines")
        if value != value.strip():
            self.fault(field, "space_around", "remove the space or the line before or after it")
        if any(map(_hides, lines)):
            self.fault(field, "control_character", "remove tabs and other characters that do not show")
        if holds_card_number(value):
            # The groups of an IBAN may happen to look like one.
            mend = "write account numbers without blanks; the number of a card has no place here"
            self.fault(field, "card_number", mend)

    def code(self, field: str, value: str) -> None:
        """A name by which machines know a thing: ASCII letters, digits and . _ : / - up to 100."""
        if not value:
            self.fault(field, "missing", "give a code")
        elif not _CODE.fullmatch(value):
            self.fault(field, "not_a_code", "use up to 100 of A-Z a-z 0-9 . _ : / - and begin with a letter or digit")
        else:
            self.no_card_number(field, value)

    def storable(self, field: str, value: str) -> None:
        """A text that PostgreSQL can keep."""
        if UNSTORED.search(value):
            self.fault(field, "control_character", "remove line breaks and other characters that do not show")

    def no_card_number(self, field: str, value: str) -> None:
        """A text that is kept as it is."""
        if holds_card_number(value):
            self.fault(field, "card_number", "remove the card number; cards are given to the provider's own page only")

    def email(self, field: str, value: str | None) -> None:
        """An address with a mailbox and a dotted domain, or nothing. Whether it is read, only a message shows."""
        self.optional_text(field, value, most=254)
        if value and not _EMAIL.fullmatch(value):
            self.fault(field, "not_an_email", "give an address such as name@example.com")

    def country(self, field: str, value: str) -> None:
        """An assigned ISO 3166 code in upper case."""
        if value not in COUNTRIES:
            self.fault(
                field, "unknown_country", "give an upper-case ISO 3166 code of two letters, such as DE (Greece: GR)"
            )

    def currency(self, field: str, value: str) -> None:
        """An ISO 4217 code in lower case."""
        if value not in EXPONENTS:
            self.fault(field, "unknown_currency", "give a lower-case ISO 4217 code, such as eur")

    def timezone(self, field: str, value: str) -> None:
        """An IANA zone. Not this machine's own, nor what its files have beside IANA's: another machine has others."""
        if value in _MACHINES_OWN or value.startswith(("posix/", "right/")):
            self.fault(field, "unknown_timezone", "give an IANA name such as Europe/Berlin")
            return
        try:
            zone_info(value)
        except Refused as refusal:
            self.faults.extend(Fault(field, fault.code, fault.mend) for fault in refusal.faults)

    def one_of(self, field: str, value: str, allowed: Collection[str]) -> None:
        """One of the named values."""
        if value not in allowed:
            self.fault(field, "not_one_of", f"give one of {', '.join(allowed)}")

    def whole(self, field: str, value: int, *, least: int, most: int) -> None:
        """A whole number within bounds. Of what is none, such as 19.9 for 19.90 EUR, no part is taken for one."""
        if type(value) is not int or not least <= value <= most:
            self.fault(field, "out_of_range", f"give a whole number from {least} to {most}")

    def unit_amount(self, field: str, value: Decimal) -> None:
        """An exact price in minor units, from 0; a fraction of a minor unit is allowed."""
        if not value.is_finite():
            self.fault(field, "not_a_number", "give a decimal number in minor units")
        elif value < 0:
            self.fault(field, "negative", "give 0 or more, in minor units")
        elif value >= MOST_AMOUNT + 1:
            self.fault(field, "too_large", "give less than 10^15 minor units")
        elif decimals(value) > MOST_DECIMALS:
            self.fault(field, "too_precise", f"at most {MOST_DECIMALS} decimal places")

    def percent(self, field: str, value: Decimal) -> None:
        """A percent from 0 to under 100, as a decimal number."""
        if not value.is_finite():
            self.fault(field, "not_a_number", "give a decimal number such as 19")
        elif not 0 <= value < 100:
            self.fault(field, "percent_range", "give a percent from 0 to under 100")
        elif decimals(value) > 4:
            self.fault(field, "too_precise", "at most 4 decimal places")

    def interval(self, unit_field: str, unit: str, count_field: str, count: int) -> None:
        """A unit, and how many of it a period lasts."""
        self.one_of(unit_field, unit, tuple(IntervalUnit))
        self.whole(count_field, count, least=1, most=MOST_INTERVALS)

    def instant(self, field: str, value: datetime) -> None:
        """An aware time of the years in which one bills."""
        if value.tzinfo is None:
            self.fault(field, "time_without_offset", "give a time with an offset")
        elif not EARLIEST <= value < AFTER_LATEST:
            self.fault(field, "out_of_range", "give a time of the years 1000 to 7999, in UTC")


def _hides(line: str) -> bool:
    """Whether there is something in it that does not show, or that makes it show otherwise than it is."""
    return any(unicodedata.category(sign) in {"Cc", "Cs", "Cn"} or sign in _DECEIVING for sign in line)


def decimals(value: Decimal) -> int:
    """Places behind the point that count, of any number of digits: `normalize` would round to the context's 28."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    zeros = next((place for place, digit in enumerate(reversed(digits)) if digit), len(digits))
    return max(0, -exponent - zeros) if value else 0
