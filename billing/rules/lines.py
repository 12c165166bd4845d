"""Lines: what a quantity costs at a price, exactly, rounded once, with the account of how it came about.

Source: the scenario contract, rule 4. Amounts and unit prices are in minor units; a unit price may be a fraction of
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, Self

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_AMOUNT, divide_half_away, plain

How = dict[str, int | str | list[dict[str, str]]]
"""Integers and strings only, so that it is stored as JSON and read back without loss. Its keys:

| key | says | of |
| --- | --- | --- |
| model, quantity | the price's model; the quantity, without trailing zeros | every price |
| unit | the price of a unit, of a package, or the flat amount | per_unit, package, flat |
| package_size, packages | units in a package; how many packages were begun | package |
| tiers | [{up_to, quantity, unit, flat}]: those that hold some quantity; the last is up to "inf" | graduated, volume |
| counts_from | from when on usage counts, where the price was added within the line's period | usage lines |
| late | the part of the quantity that was reported after its own period was invoiced | usage lines |
| numerator, denominator, rounding | the exact amount, reduced, and how it was rounded | every line |

`rules.proration` adds the keys of a share of a period.
"""

ROUNDING = "half_away_from_zero"

_EXACT = Context(prec=1000, traps=[Inexact])
_NOTHING = Decimal(0)


class PriceModel(StrEnum):
    """How a quantity becomes an amount."""

    PER_UNIT = "per_unit"
    FLAT = "flat"
    PACKAGE = "package"
    GRADUATED = "graduated"
    VOLUME = "volume"


TIERED = frozenset({PriceModel.GRADUATED, PriceModel.VOLUME})


@dataclass(frozen=True, slots=True)
class Tier:
    """Quantities up to and including `up_to` (None: without end): `unit` for each, and `flat` once."""

    up_to: Decimal | None
    unit: Decimal
    flat: Decimal = _NOTHING


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """All that decides what a quantity costs. Raises `ValueError` where the parts don't fit the model.

    `unit_amount` is the price of a unit, the flat amount, or the price of a package; tiers have their own.
    """

    model: PriceModel
    unit_amount: Decimal | None
    tiers: tuple[Tier, ...] = ()
    package_size: int | None = None
    _hash: int = field(init=False, repr=False, compare=False)
    """Reckoned once: what is cached is looked up by the terms, line by line."""

    def __hash__(self) -> int:
        return self._hash

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.model, self.unit_amount, self.tiers, self.package_size)))
        if self.model in TIERED:
            bounds = [tier.up_to for tier in self.tiers]
            if not bounds or bounds[-1] is not None or not _rises(bounds[:-1]):
                raise ValueError("tiers must rise from 0 or more, and the last alone is without end")
        elif self.unit_amount is None:
            raise ValueError(f"a {self.model} price needs its unit amount")
        if self.model is PriceModel.PACKAGE and (self.package_size is None or self.package_size < 1):
            raise ValueError("a package holds at least 1 unit")

    @classmethod
    def of(
        cls,
        *,
        model: str,
        unit_amount: Decimal | None,
        tiers: Sequence[Mapping[str, Any]] | None,
        package_size: int | None,
    ) -> Self:
        """From a stored row: `tiers` is `[{"up_to": "1000" | null, "unit": "0.5", "flat": "0"}, …]`."""
        return cls(
            model=PriceModel(model),
            unit_amount=unit_amount,
            tiers=tuple(_tier(stored) for stored in tiers or ()),
            package_size=package_size,
        )


@dataclass(frozen=True, slots=True)
class Priced:
    """An amount in minor units, and how it came about: amount = numerator ÷ denominator, rounded as `rounding` says."""

    amount_minor: int
    how: How


def exact_amount(terms: PriceTerms, quantity: Decimal) -> Fraction:
    """What `quantity` costs in minor units, unrounded. Quantity 0 costs 0. Raises `Refused` (`quantity_negative`)."""
    return _worked(terms, quantity)[0]


def priced(terms: PriceTerms, quantity: Decimal) -> Priced:
    """What `quantity` costs, rounded once, half away from zero.

    Raises `Refused` (`quantity_negative`, `amount_too_large`). Computed once for the same terms and quantity; the
    account is the caller's own copy.
    """
    found = _priced(terms, quantity)
    how = dict(found.how)
    tiers = how.get("tiers")
    if isinstance(tiers, list):
        how["tiers"] = [dict(tier) for tier in tiers]
    return Priced(found.amount_minor, how)


def settled(exact: Fraction, how: How) -> Priced:
    """Round an exact amount once, half away from zero, and add the fraction to its account.

    Raises `Refused` (`amount_too_large`).
    """
    numerator, denominator = exact.as_integer_ratio()
    ending: How = {"numerator": numerator, "denominator": denominator, "rounding": ROUNDING}
    return Priced(_rounded(numerator, denominator), {**how, **ending})


def _rounded(numerator: int, denominator: int) -> int:
    amount = divide_half_away(numerator, denominator)
    if abs(amount) > MOST_AMOUNT:
        mend = f"a line holds less than 10^15 minor units, and this one would be {amount}: check quantity and price"
        raise Refused(Fault("amount", "amount_too_large", mend))
    return amount


@lru_cache(maxsize=8192)
def _priced(terms: PriceTerms, quantity: Decimal) -> Priced:
    exact, account = _worked(terms, quantity)
    return settled(exact, {"model": terms.model.value, "quantity": plain(quantity), **account})


def _worked(terms: PriceTerms, quantity: Decimal) -> tuple[Fraction, How]:
    """The exact amount, and what is particular to the model."""
    if quantity < 0:
        raise _negative()
    if terms.unit_amount is None or terms.model in TIERED:
        return _tiered(list(_parts(terms, quantity)))
    price = terms.unit_amount
    account: How = {"unit": plain(price)}
    if terms.model is PriceModel.FLAT:
        return Fraction(price if quantity else 0), account
    if terms.package_size is None or terms.model is not PriceModel.PACKAGE:
        return Fraction(_EXACT.multiply(price, quantity)), account
    packages = ceil(Fraction(quantity) / terms.package_size)
    return Fraction(price) * packages, {**account, "package_size": terms.package_size, "packages": packages}


def _parts(terms: PriceTerms, quantity: Decimal) -> Iterator[tuple[Tier, Decimal]]:
    """The tiers that hold some of `quantity`, with how much: each its own part, or the one that the total falls in."""
    graduated = terms.model is PriceModel.GRADUATED
    below = _NOTHING
    for tier in terms.tiers:
        last = tier.up_to is None or quantity <= tier.up_to
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        part = _EXACT.subtract(upper, below) if graduated else quantity
        if part > 0 and (graduated or last):
            yield tier, part
        if tier.up_to is None or last:
            return
        below = tier.up_to


def _tiered(parts: list[tuple[Tier, Decimal]]) -> tuple[Fraction, How]:
    cost = _NOTHING
    for tier, part in parts:
        cost = _EXACT.add(cost, _EXACT.add(_EXACT.multiply(part, tier.unit), tier.flat))
    split = [
        {
            "up_to": "inf" if tier.up_to is None else plain(tier.up_to),
            "quantity": plain(part),
            "unit": plain(tier.unit),
            "flat": plain(tier.flat),
        }
        for tier, part in parts
    ]
    return Fraction(cost), {"tiers": split}


def _tier(stored: Mapping[str, Any]) -> Tier:
    up_to = stored["up_to"]
    return Tier(None if up_to is None else Decimal(up_to), Decimal(stored["unit"]), Decimal(stored.get("flat", 0)))


def _rises(bounds: Sequence[Decimal | None]) -> bool:
    below: Decimal | None = None
    for bound in bounds:
        if bound is None or bound < 0 or (below is not None and bound <= below):
            return False
        below = bound
    return True


def _negative() -> Refused:
    return Refused(Fault("quantity", "quantity_negative", "give a number from 0"))
