"""Exact amounts: rounding, the pricing models and sharing by largest remainder (rules 4 and 8)."""

import math
from fractions import Fraction


def exact(*, value: object) -> Fraction:
    """An integer or a decimal string as an exact number."""
    return Fraction(str(value))


def rounded(value: Fraction) -> int:
    """Half away from zero."""
    whole = math.floor(abs(value) + Fraction(1, 2))
    return -whole if value < 0 else whole


def decimal(*, value: Fraction) -> str:
    """A quantity as a decimal string without trailing zeros."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    number = int(value * 10**digits)
    if digits == 0:
        return str(number)
    sign, body = ("-" if number < 0 else ""), str(abs(number)).rjust(digits + 1, "0")
    return f"{sign}{body[:-digits]}.{body[-digits:]}"


def cost(*, price: dict, quantity: Fraction) -> Fraction:
    """What a quantity costs, before rounding."""
    if quantity == 0:
        return Fraction(0)
    model = price.get("model", "per_unit")
    if model == "graduated":
        return _graduated(tiers=price["tiers"], quantity=quantity)
    if model == "volume":
        return _volume(tiers=price["tiers"], quantity=quantity)
    amount = exact(value=price["amount"])
    if model == "flat":
        return amount
    if model == "package":
        return math.ceil(quantity / exact(value=price["package_size"])) * amount
    return amount * quantity


def _bound(*, tier: dict) -> Fraction | None:
    return None if str(tier["up_to"]) in {"inf", ".inf"} else exact(value=tier["up_to"])


def _graduated(*, tiers: list[dict], quantity: Fraction) -> Fraction:
    total, below = Fraction(0), Fraction(0)
    for tier in tiers:
        bound = _bound(tier=tier)
        units = (quantity if bound is None else min(quantity, bound)) - below
        if units <= 0:
            break
        total += units * exact(value=tier["unit"]) + exact(value=tier.get("flat", 0))
        below += units
    return total


def _volume(*, tiers: list[dict], quantity: Fraction) -> Fraction:
    for tier in tiers:
        bound = _bound(tier=tier)
        if bound is None or quantity <= bound:
            return quantity * exact(value=tier["unit"]) + exact(value=tier.get("flat", 0))
    raise ValueError("the last tier is not inf")


def shares(*, total: int, weights: list[int]) -> list[int]:
    """`total` shared in proportion to the weights by largest remainder; of equal remainders the later."""
    base = sum(weights)
    parts = [Fraction(total * weight, base) for weight in weights]
    floors = [math.floor(part) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - floors[i], i), reverse=True)
    for i in order[: total - sum(floors)]:
        floors[i] += 1
    return floors
