"""Tax: which percent a sale bears, and the tax of a document, computed once per effective percent.

Source: the scenario contract, rule 9. Countries are upper-case ISO 3166 codes (Greece is GR). The hot path is integers
only: percents become fractions once, and treatments are cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import divide_half_away, plain
from billing.kernel.period import zone_info

EU = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
"""The 27 members of the European Union."""

_NOTHING = Decimal(0)


class TaxCode(StrEnum):
    """Why a sale bears the percent that it bears."""

    DOMESTIC = "domestic"
    DESTINATION = "destination"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE = "outside"
    UNTAXED = "untaxed"


class Oss(StrEnum):
    """How a seller declares tax on sales to consumers in other member states: by One Stop Shop, or at home.

    `union` is for sellers in the union, `non_union` for those outside it.
    """

    UNION = "union"
    NON_UNION = "non_union"
    NONE = "none"


_NOTES = {TaxCode.OUTSIDE: ("outside_scope",), TaxCode.REVERSE_CHARGE: ("reverse_charge",)}
"""Codes of the legal texts that a document needs."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """What a rate is from a day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: date
    percent: Decimal | None = None
    countries: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A named rate of a seller: percent at home and, where they differ, by destination inside the EU."""

    percent: Decimal
    inclusive: bool = False
    countries: tuple[tuple[str, Decimal], ...] = ()
    changes: tuple[RateChange, ...] = ()
    """In the order of their days."""

    @classmethod
    def of(
        cls,
        *,
        percent: Decimal | str,
        inclusive: bool,
        countries: Mapping[str, Decimal | str],
        changes: Sequence[Mapping[str, Any]] = (),
    ) -> Self:
        """From a stored row: percents as decimals or decimal strings, by country and by day."""
        made = [
            RateChange(
                starts_on=date.fromisoformat(each["starts_on"]),
                percent=None if each["percent"] is None else Decimal(each["percent"]),
                countries=_pairs(each["countries"]),
            )
            for each in sorted(changes, key=lambda each: str(each["starts_on"]))
        ]
        return cls(percent=Decimal(percent), inclusive=inclusive, countries=_pairs(countries), changes=tuple(made))

    def on(self, day: date) -> TaxRate:
        """What it is on that day."""
        percent, countries = self.percent, dict(self.countries)
        for change in self.changes:
            if change.starts_on <= day:
                percent = percent if change.percent is None else change.percent
                countries.update(change.countries)
        return TaxRate(percent, self.inclusive, _pairs(countries))


def _pairs(countries: Mapping[str, Decimal | str]) -> tuple[tuple[str, Decimal], ...]:
    return tuple(sorted((country, Decimal(value)) for country, value in countries.items()))


def in_force(rate: TaxRate | None, at: datetime, zone: str) -> TaxRate | None:
    """The rate as it is at a moment, by the calendar of the seller's `zone`."""
    if rate is None or not rate.changes:
        return rate
    return rate.on(at.astimezone(zone_info(zone)).date())


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTreatment:
    """How one rate applies between one seller and one buyer. `notes` are codes of the legal texts a document needs."""

    percent: Decimal
    inclusive: bool
    code: TaxCode
    notes: tuple[str, ...] = ()
    numerator: int = field(init=False, repr=False, compare=False)
    denominator: int = field(init=False, repr=False, compare=False)
    """percent ÷ 100 as a fraction; with an inclusive rate percent ÷ (100 + percent)."""
    _hash: int = field(init=False, repr=False, compare=False)
    """Reckoned once: sums that are cached are looked up by their lines' treatments."""

    def __hash__(self) -> int:
        return self._hash

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.percent, self.inclusive, self.code, self.notes)))
        numerator, denominator = self.percent.as_integer_ratio()
        denominator *= 100
        object.__setattr__(self, "numerator", numerator)
        object.__setattr__(self, "denominator", denominator + numerator if self.inclusive else denominator)

    @property
    def reverse_charge(self) -> bool:
        return self.code is TaxCode.REVERSE_CHARGE


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """The tax of a document at one effective percent. `base_minor` is without the tax, also where prices include it."""

    percent: Decimal
    inclusive: bool
    base_minor: int
    tax_minor: int
    code: TaxCode

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From a document's stored groups."""
        return cls(
            percent=Decimal(stored["percent"]),
            inclusive=stored["inclusive"],
            base_minor=stored["base_minor"],
            tax_minor=stored["tax_minor"],
            code=TaxCode(stored["code"]),
        )


UNTAXED = TaxTreatment(percent=_NOTHING, inclusive=False, code=TaxCode.UNTAXED)
"""For a price without a rate."""


@lru_cache(maxsize=8192)
def treatment(
    seller_country: str,
    buyer_country: str,
    has_tax_id: bool,  # noqa: FBT001 (keyword arguments double what the cached call costs, once a line)
    rate: TaxRate | None,
    oss: str = Oss.NONE,
) -> TaxTreatment:
    """How `rate`, as it is `in_force`, applies; `oss` is the seller's `Oss`. Same arguments, same object.

    Without One Stop Shop a seller outside the EU taxes only its own country, and a destination whose percent the rate
    doesn't name bears the home percent. With it, a sale to a consumer in another member state bears the percent of
    that state and no other: raises `Refused` (`destination_rate_missing`) where the rate names none, and the caller
    parks the document.
    """
    if rate is None:
        return UNTAXED
    percent, code = _applied(seller_country, buyer_country, rate, has_tax_id=has_tax_id, oss=oss)
    return _treated(percent, code, inclusive=rate.inclusive)


@lru_cache(maxsize=8192)
def carried(
    percent: Decimal,
    inclusive: bool,  # noqa: FBT001 (like `treatment`)
    code: str,
) -> TaxTreatment:
    """The treatment of a stored line, from its columns: a proration credit is taxed like the line that it credits."""
    return _treated(percent, TaxCode(code), inclusive=inclusive)


def sold_at(rates: Mapping[str, TaxRate], how: TaxTreatment) -> list[TaxRate]:
    """Those of a seller's rates, by name, at which a line that was treated so may have been sold.

    Under reverse charge and outside that may be any. Where none would give it any more, the standard rate has been
    changed since, and it is that one.
    """
    found = [rate for rate in rates.values() if rate.inclusive == how.inclusive and _may_give(rate, how)]
    return found or [rate for name, rate in rates.items() if name == "standard"]


def _may_give(rate: TaxRate, how: TaxTreatment) -> bool:
    if how.code in (TaxCode.REVERSE_CHARGE, TaxCode.OUTSIDE):
        return True
    abroad = [percent for _, percent in rate.countries] if how.code is TaxCode.DESTINATION else []
    return how.percent in (rate.percent, *abroad)


def _treated(percent: Decimal, code: TaxCode, *, inclusive: bool) -> TaxTreatment:
    # Equal percents share what is cached for them: 7 and 7.00 are written alike, in rows and in what is hashed.
    percent = Decimal(plain(percent))
    return TaxTreatment(percent=percent, inclusive=inclusive, code=code, notes=_NOTES.get(code, ()))


def _applied(
    seller_country: str, buyer_country: str, rate: TaxRate, *, has_tax_id: bool, oss: str
) -> tuple[Decimal, TaxCode]:
    if buyer_country == seller_country:
        return rate.percent, TaxCode.DOMESTIC
    inside = seller_country in EU
    declared = oss != Oss.NONE
    if buyer_country not in EU or not (inside or (declared and not has_tax_id)):
        return _NOTHING, TaxCode.OUTSIDE
    if has_tax_id:
        return _NOTHING, TaxCode.REVERSE_CHARGE
    percent = dict(rate.countries).get(buyer_country)
    if percent is None and declared:
        raise Refused(
            Fault("tax_rate", "destination_rate_missing", f"give the rate's percent for consumers in {buyer_country}")
        )
    return rate.percent if percent is None else percent, TaxCode.DESTINATION


def tax_of(amount_minor: int, how: TaxTreatment) -> int:
    """Tax in minor units on a net amount, or inside a gross one where the rate is inclusive; half away from zero."""
    if how.numerator == 0:
        return 0
    return divide_half_away(amount_minor * how.numerator, how.denominator)


def tax_groups(lines: Sequence[tuple[int, TaxTreatment]]) -> tuple[TaxGroup, ...]:
    """Group (amount after discount, treatment) by effective percent and tax each group once, in order of appearance.

    The names of rates play no part. Exclusive and inclusive stay apart. Codes do so only where nothing is taxed, which
    reads differently on a document by its reason; a taxed group is one sum, rounded once, under its first line's code.
    """
    if not lines:
        return ()
    first = lines[0][1]
    if all(how is first for _, how in lines):
        # Nearly every document: one rate, whose treatment is one cached object.
        return (_group(sum(amount_minor for amount_minor, _ in lines), first),)
    sums: dict[tuple[Decimal, bool, TaxCode | None], int] = {}
    applied: dict[tuple[Decimal, bool, TaxCode | None], TaxTreatment] = {}
    for amount_minor, how in lines:
        key = (how.percent, how.inclusive, None if how.numerator else how.code)
        sums[key] = sums.get(key, 0) + amount_minor
        applied.setdefault(key, how)
    return tuple(_group(amount_minor, applied[key]) for key, amount_minor in sums.items())


def _group(amount_minor: int, how: TaxTreatment) -> TaxGroup:
    tax_minor = tax_of(amount_minor, how)
    base_minor = amount_minor - tax_minor if how.inclusive else amount_minor
    return TaxGroup(how.percent, how.inclusive, base_minor, tax_minor, how.code)
