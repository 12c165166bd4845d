"""What each line is without tax: a document says nets by line, and each percent's tax once, on their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from billing.documents.facts import DocumentFacts, GroupFacts, LineFacts
from billing.kernel.money import divide_half_away

_Key = tuple[Decimal, bool, str | None]


def nets(document: DocumentFacts) -> list[int]:
    """Minor units by line, after discount; those of a percent add up to its base.

    A gross line's net is rounded by itself, and what that leaves over goes to the largest line of its percent.
    """
    found = [_net(line) for line in document.lines]
    places: dict[_Key, list[int]] = defaultdict(list)
    for place, line in enumerate(document.lines):
        places[_key(line)].append(place)
    bases = {_group_key(group): group.base_minor for group in document.tax_groups}
    for key, of_key in places.items():
        over = bases.get(key, 0) - sum(found[place] for place in of_key)
        if over and key in bases:
            largest = max(of_key, key=lambda place: abs(found[place]))
            found[largest] += over
    return found


def unit_net(line: LineFacts) -> Decimal | None:
    """The price of one without tax, in minor units, to six digits; None where a line has no single price."""
    if line.unit_amount is None:
        return None
    if not line.tax_inclusive or not line.tax_percent:
        return line.unit_amount
    return (line.unit_amount * 100 / (100 + line.tax_percent)).quantize(Decimal("0.01")).normalize()


def _net(line: LineFacts) -> int:
    amount = line.amount_minor - line.discount_minor
    if not line.tax_inclusive:
        return amount
    numerator, denominator = line.tax_percent.as_integer_ratio()
    return divide_half_away(amount * 100 * denominator, 100 * denominator + numerator)


def _key(line: LineFacts) -> _Key:
    return line.tax_percent.normalize(), line.tax_inclusive, None if line.tax_percent else line.tax_code


def _group_key(group: GroupFacts) -> _Key:
    return group.percent.normalize(), group.inclusive, None if group.percent else group.code


def by_percent(groups: Sequence[GroupFacts]) -> list[GroupFacts]:
    """Each percent once (Directive 2006/112/EC art. 226 (8)), whether it was inside the price or on top.

    In the order of the document, those that say nothing left out.
    """
    found: dict[tuple[Decimal, str], GroupFacts] = {}
    for group in groups:
        if not (group.base_minor or group.tax_minor or group.code != "untaxed"):
            continue
        key = group.percent.normalize(), group.code
        known = found.get(key)
        found[key] = group if known is None else _together(known, group)
    return list(found.values())


def _together(one: GroupFacts, other: GroupFacts) -> GroupFacts:
    base, tax = one.base_minor + other.base_minor, one.tax_minor + other.tax_minor
    return replace(one, base_minor=base, tax_minor=tax)
