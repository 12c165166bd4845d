"""What people type into forms: amounts in main units, instants, whole numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, DecimalException

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_TOTAL, decimal_minor, exponent
from billing.queries.operations.paging import Facts


def minor(text: str, currency: str) -> int:
    """An amount in main units, as people type it, in minor ones. Raises `Refused`."""
    try:
        exact = Decimal(text.strip().replace(",", "")) * 10 ** exponent(currency)
    except DecimalException:
        raise Refused(Fault("amount", "amount_unreadable", "give it as 12.34")) from None
    # Bounds first: the whole number of 1e999999 has a million digits.
    if not exact.is_finite() or not 0 < exact <= MOST_TOTAL or exact != int(exact):
        raise Refused(Fault("amount", "amount_unreadable", f"give it as 12.34, above 0, in {currency.upper()}"))
    return int(exact)


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
