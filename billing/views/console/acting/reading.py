"""What people type into forms: amounts in main units, instants, whole numbers."""

from __future__ import annotations

import re
from datetime import datetime

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_TOTAL, decimal_minor, exponent, format_minor
from billing.queries.operations.paging import Facts

_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,20}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,6})(?:\.(?P<part>[0-9]{1,3}))?")
"""Digits, or groups of three; at most 20 of them, far beyond what any document comes to."""


def minor(text: str, currency: str) -> int:
    """An amount in main units, as people type it, in minor ones.

    Nothing is guessed: "4,50" is 450 to one reader and 4.50 to another, and so is "1,234" where a currency has three
    decimals. Raises `Refused`: `amount_unreadable`; `amount_out_of_range`: not above 0, or more than a document is.
    """
    digits = exponent(currency)
    read = _AMOUNT.fullmatch(text.strip())
    if read is None or not _is_plain(read["whole"], read["part"] or "", digits):
        raise Refused(Fault("amount", "amount_unreadable", _how_to_write(currency)))
    amount = int(read["whole"].replace(",", "") + (read["part"] or "").ljust(digits, "0"))
    if not 0 < amount <= MOST_TOTAL:
        mend = f"above 0, at most {format_minor(MOST_TOTAL, currency)}"
        raise Refused(Fault("amount", "amount_out_of_range", mend))
    return amount


def _is_plain(whole: str, part: str, digits: int) -> bool:
    """Whether all that read it so mean the same amount of a currency with so many decimals."""
    could_be_decimals = "," in whole and not part and digits == 3
    return len(part) <= digits and not could_be_decimals


def _how_to_write(currency: str) -> str:
    code = currency.upper()
    return {
        0: f"write 450 or 1,234; {code} has no decimals, commas separate thousands",
        2: f"write 4.50 or 1,234.50 ({code}); the point separates the cents, commas only thousands",
        3: f"write 4.500 or 1,234.500 ({code}); the point separates three decimals, commas only thousands",
    }[exponent(currency)]


def amount_field(facts: Facts, column: str) -> str:
    """What a field of an amount holds at first: all of this column."""
    return decimal_minor(facts[column], facts["currency"]) if facts.get(column) else ""


def instant(text: str, *, field: str) -> datetime:
    """An instant with its zone, as pages show it or in ISO 8601. Raises `Refused`."""
    if text.endswith(" UTC"):
        text = f"{text.removesuffix(' UTC')}+00:00"
    return parse_instant(text, field=field)


def whole(text: str, *, field: str, most: int) -> int:
    """A whole number from 0 to `most`. Raises `Refused` (`number_unreadable`)."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise Refused(Fault(field, "number_unreadable", f"give a whole number from 0 to {most}"))
    return int(text)
