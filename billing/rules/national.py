"""Tax in national currency: what Directive 2006/112/EC art. 230 asks for where a document is in another currency.

The amount of tax is said in the currency of the seller's country too, at the rate of the European Central Bank of the
day, or of the last day of publication before it (art. 91 (2), 230). Rates are units of a currency for one euro.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.kernel.money import exponent, round_half_away
from billing.rules.tax import EU

EURO = "eur"
_OWN = {"CZ": "czk", "DK": "dkk", "HU": "huf", "PL": "pln", "RO": "ron", "SE": "sek"}
"""Members that have not adopted the euro (Bulgaria has, on 2026-01-01)."""
OLDEST_DAYS = 7
"""Rates older than this are none: no holiday of the bank is so long."""
_SHOWN = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class NationalTax:
    """A document's tax in minor units of `currency`: at `rate` of it for one of the document's, shown to 8 digits."""

    tax_minor: int
    currency: str
    rate: Decimal
    source: str
    day: date
    per_euro: Mapping[str, Decimal]
    """The published rates that it comes from; the euro's own is 1 and not named."""

    def as_json(self) -> dict[str, Any]:
        """As it is frozen."""
        return {
            "tax_minor": self.tax_minor,
            "currency": self.currency,
            "rate": str(self.rate),
            "source": self.source,
            "date": self.day.isoformat(),
            "per_eur": {name: str(rate) for name, rate in sorted(self.per_euro.items())},
        }


def fingerprint_of(frozen: Mapping[str, Any]) -> str:
    """One line of what was frozen, for the document's hash."""
    rates = ",".join(f"{name}={rate}" for name, rate in sorted(frozen["per_eur"].items()))
    return "\t".join((*(str(frozen[name]) for name in ("tax_minor", "currency", "rate", "source", "date")), rates))


def national_currency(country: str) -> str | None:
    """The currency of a member state; None outside the Union, where art. 230 asks for nothing."""
    return _OWN.get(country, EURO) if country in EU else None


def needed_rates(*currencies: str) -> frozenset[str]:
    """Those of these currencies whose rate must be known."""
    return frozenset(currencies) - {EURO}


def national_tax(
    tax_minor: int, *, currency: str, into: str, day: date, per_euro: Mapping[str, Decimal], source: str
) -> NationalTax:
    """Convert, exactly, and round once, half away from zero. `per_euro` has all of `needed_rates`."""
    rate = _of(per_euro, into) / _of(per_euro, currency)
    exact = Fraction(tax_minor) * rate * 10 ** exponent(into) / 10 ** exponent(currency)
    shown = (Decimal(rate.numerator) / Decimal(rate.denominator)).quantize(_SHOWN)
    used = {name: per_euro[name] for name in needed_rates(currency, into)}
    return NationalTax(round_half_away(exact), into, shown, source, day, used)


def at_frozen_rate(tax_minor: int, *, currency: str, frozen: Mapping[str, Any]) -> NationalTax:
    """The tax of a note, at the rate of the invoice that it corrects."""
    return national_tax(
        tax_minor,
        currency=currency,
        into=frozen["currency"],
        day=date.fromisoformat(frozen["date"]),
        per_euro={name: Decimal(rate) for name, rate in frozen["per_eur"].items()},
        source=frozen["source"],
    )


def _of(per_euro: Mapping[str, Decimal], currency: str) -> Fraction:
    return Fraction(1) if currency == EURO else Fraction(per_euro[currency])
