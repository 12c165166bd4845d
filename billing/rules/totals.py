"""Totals: from a document's lines to the amount due. Source: the scenario contract, rule 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_TOTAL
from billing.rules.tax import TaxGroup, TaxTreatment, tax_groups


class LineAmount(NamedTuple):
    """What totals need of a line. `discount_minor` is its share of the discount, positive where it lowers."""

    amount_minor: int
    treatment: TaxTreatment
    discount_minor: int = 0


class Totals(NamedTuple):
    """Minor units of the document's currency. total = subtotal - discount + tax, inclusive tax being inside already;
    amount due = total + brought forward - credit applied.

    With `credit_note` the sum was negative: every sign here is turned, the caller turns those of the lines, and the
    total goes into the customer's balance.
    """

    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    amount_due_minor: int
    tax_groups: tuple[TaxGroup, ...]
    reverse_charge: bool
    notes: tuple[str, ...]
    credit_note: bool
    brought_forward_minor: int = 0


def totals(lines: Sequence[LineAmount], *, balance_minor: int = 0, carried_forward_minor: int = 0) -> Totals:
    """Add up a document. `balance_minor` is the customer's credit in this currency; a negative one is never used.

    `carried_forward_minor`: what earlier invoices left over, asked for by the first that asks for something of its own.

    Raises `Refused` (`amount_too_large`).
    """
    subtotal = discount = 0
    reverse_charge = False
    notes: dict[str, None] = {}
    taxed: list[tuple[int, TaxTreatment]] = []
    for line in lines:
        how = line.treatment
        subtotal += line.amount_minor
        discount += line.discount_minor
        taxed.append((line.amount_minor - line.discount_minor, how))
        reverse_charge = reverse_charge or how.reverse_charge
        if how.notes:
            notes.update(dict.fromkeys(how.notes))
    groups = tax_groups(taxed)
    tax, total = 0, subtotal - discount
    for group in groups:
        tax += group.tax_minor
        total += 0 if group.inclusive else group.tax_minor
    credit_note = total < 0
    if credit_note:
        subtotal, discount, tax, total = -subtotal, -discount, -tax, -total
        groups = tuple(_turned(group) for group in groups)
    largest = max(abs(subtotal), total)
    if largest > MOST_TOTAL:
        mend = f"a document holds at most 2^53 - 1 minor units, and this one would be {largest}"
        raise Refused(Fault("total", "amount_too_large", f"{mend}: check quantities and prices"))
    brought = 0 if credit_note or not total else carried_forward_minor
    applied = 0 if credit_note else min(max(balance_minor, 0), total + brought)
    return Totals(
        subtotal_minor=subtotal,
        discount_minor=discount,
        tax_minor=tax,
        total_minor=total,
        credit_applied_minor=applied,
        amount_due_minor=0 if credit_note else total + brought - applied,
        tax_groups=groups,
        reverse_charge=reverse_charge,
        notes=tuple(notes),
        credit_note=credit_note,
        brought_forward_minor=brought,
    )


def _turned(group: TaxGroup) -> TaxGroup:
    return TaxGroup(group.percent, group.inclusive, -group.base_minor, -group.tax_minor, group.code)
