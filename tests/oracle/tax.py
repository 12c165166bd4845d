"""Tax per effective percent over a document's net lines (rule 9)."""

from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.amounts import exact, rounded

EU = frozenset("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split())


@dataclass(frozen=True, kw_only=True)
class Tax:
    """A document's tax, that on top and that inside apart."""

    exclusive: int
    inclusive: int
    reverse_charge: bool


def reversed_charge(*, seller: dict, customer: dict) -> bool:
    """Whether the customer accounts for the tax itself."""
    home, country = seller["country"], customer["country"]
    return country != home and {home, country} <= EU and bool(customer["tax_id"]) and bool(seller.get("tax_rates"))


def percent(*, rate: dict, seller: dict, customer: dict) -> Fraction:
    """The percent that a rate comes to for this customer."""
    home, country = seller["country"], customer["country"]
    if country == home:
        return exact(value=rate["percent"])
    if not {home, country} <= EU or customer["tax_id"]:
        return Fraction(0)
    return exact(value=(rate.get("countries") or {}).get(country, rate["percent"]))


def tax(*, seller: dict, customer: dict, nets: list[tuple[str, int]]) -> Tax:
    """The tax of lines given as (name of the rate, net after discount)."""
    rates = seller.get("tax_rates") or {}
    sums: dict[tuple[bool, Fraction], int] = {}
    for name, net in nets:
        if name in rates:
            rate = rates[name]
            key = (bool(rate.get("inclusive", False)), percent(rate=rate, seller=seller, customer=customer))
            sums[key] = sums.get(key, 0) + net
    on_top = sum(rounded(net * p / 100) for (inside, p), net in sums.items() if not inside)
    within = sum(rounded(net * p / (100 + p)) for (inside, p), net in sums.items() if inside)
    return Tax(exclusive=on_top, inclusive=within, reverse_charge=reversed_charge(seller=seller, customer=customer))
