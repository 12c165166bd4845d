"""Lines of a subscription: licensed ones in advance, metered ones in arrears, and those that waited."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from billing.commands.invoice.planned import PlannedLine
from billing.kernel.clock import format_instant
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.kernel.money import plain
from billing.queries.standing import Item, PriceInUse
from billing.rules.lines import How, PriceModel, PriceTerms, exact_amount, priced
from billing.rules.proration import ProrationUnit, prorated_charge
from billing.rules.tax import UNTAXED, TaxTreatment, carried
from billing.rules.walk import Span

_COMPACT = json.JSONEncoder(separators=(",", ":"))
"""Made once: `json.dumps` would make one for each account."""


def licensed_line(item: Item, span: Span, treatment: TaxTreatment) -> PlannedLine:
    """The full price of one period, paid in advance."""
    assert item.quantity is not None
    return _line(item.price, "recurring", item.quantity, span, treatment)


def usage_line(
    item: Item, span: Span, quantity: Decimal, treatment: TaxTreatment, *, counts_from: datetime, late: Decimal
) -> PlannedLine:
    """What was used of a metered price in a period that is over. Written even for nothing.

    The account says from when on usage counts, where the item came within the period, and how much is `late`: reported
    after its own period was invoiced.
    """
    line = _line(item.price, "usage", quantity, span, treatment, counts_from=counts_from)
    if counts_from > span.start:
        line = _with(line, "counts_from", format_instant(counts_from))
    return _with(line, "late", plain(late)) if late else line


def _with(line: PlannedLine, name: str, value: str) -> PlannedLine:
    """Its account says one thing more."""
    return line._replace(how_json=f'{line.how_json[:-1]},"{name}":"{value}"}}')


def one_off_line(item: Item, treatment: TaxTreatment) -> PlannedLine:
    """A price that is charged once, by the next invoice."""
    return _line(item.price, "one_off", 1 if item.quantity is None else item.quantity, None, treatment)


def agreed_line(description: str, amount_minor: int, treatment: TaxTreatment) -> PlannedLine:
    """An amount that no price stands behind, once; below 0 it takes something off."""
    made = priced(PriceTerms(PriceModel.FLAT, Decimal(abs(amount_minor))), Decimal(1))
    return PlannedLine(
        kind="one_off",
        price_id=None,
        description=description,
        quantity="1",
        unit_amount=str(amount_minor),
        amount_minor=amount_minor,
        discount_minor=0,
        treatment=treatment,
        period_start=None,
        period_end=None,
        how_json=as_json(made.how),
    )


def once(item: Item) -> PlannedLine:
    """A new waiting line of a price that is charged once. Its tax is decided by the invoice that takes it over."""
    return one_off_line(item, UNTAXED)._replace(id=new_id())


def stub_line(
    item: Item, stub: Span, full_start: datetime, treatment: TaxTreatment, *, unit: ProrationUnit, zone: str
) -> PlannedLine:
    """A first period that is not whole, up to the anchor: its part of the full period that ends there."""
    made = charge_line(item, stub.start, full_start, stub.end, treatment, unit=unit, zone=zone)
    return made._replace(kind="recurring")


def charge_line(
    item: Item,
    at: datetime,
    full_start: datetime,
    end: datetime,
    treatment: TaxTreatment,
    *,
    unit: ProrationUnit,
    zone: str,
) -> PlannedLine:
    """What the rest of a running period costs at the item's price and quantity."""
    quantity = Decimal(item.quantity or 0)
    made = prorated_charge(
        full=exact_amount(item.price.terms, quantity),
        at=at,
        full_start=full_start,
        end=end,
        unit=unit,
        zone=zone,
        full_how=priced(item.price.terms, quantity).how,
    )
    return PlannedLine(
        kind="proration_charge",
        price_id=item.price.id,
        description=item.price.name,
        quantity=plain(quantity),
        unit_amount=_unit(item.price.terms),
        amount_minor=made.amount_minor,
        discount_minor=0,
        treatment=treatment,
        period_start=at,
        period_end=end,
        how_json=as_json(made.how),
    )


def waited(row: Any, treatment: TaxTreatment | None) -> PlannedLine:
    """A waiting line, as its invoice takes it over. `treatment` is the price's; a credit brings its own."""
    if row.tax_percent is not None:
        treatment = carried(row.tax_percent, row.tax_inclusive, row.tax_code)
    assert treatment is not None
    return PlannedLine(
        id=row.id,
        kind=row.kind,
        price_id=row.price_id,
        description=row.description,
        quantity=plain(row.quantity),
        unit_amount=None if row.unit_amount is None else plain(row.unit_amount),
        amount_minor=row.amount_minor,
        discount_minor=0,
        treatment=treatment,
        period_start=row.period_start,
        period_end=row.period_end,
        how_json=row.how_json,
        credits_line_id=row.credits_line_id,
        credits_issued=row.credits_issued,
    )


def as_json(how: How) -> str:
    """An account as compact JSON."""
    return _COMPACT.encode(how)


def _line(
    price: PriceInUse,
    kind: str,
    quantity: int | Decimal,
    span: Span | None,
    treatment: TaxTreatment,
    *,
    counts_from: datetime | None = None,
) -> PlannedLine:
    try:
        amount_minor, unit, told, how_json = _priced(price.terms, quantity)
    except Refused as refused:
        raise Refused([replace(fault, field=f"lines.{price.code}.{fault.field}") for fault in refused.faults]) from None
    return PlannedLine(
        kind=kind,
        price_id=price.id,
        description=price.name,
        quantity=told,
        unit_amount=unit,
        amount_minor=amount_minor,
        discount_minor=0,
        treatment=treatment,
        period_start=span.start if span else None,
        period_end=span.end if span else None,
        how_json=how_json,
        counts_from=counts_from,
    )


@lru_cache(maxsize=16384)
def _priced(terms: PriceTerms, quantity: int | Decimal) -> tuple[int, str | None, str, str]:
    exact = Decimal(quantity)
    made = priced(terms, exact)
    return made.amount_minor, _unit(terms), plain(exact), as_json(made.how)


def _unit(terms: PriceTerms) -> str | None:
    return None if terms.unit_amount is None else plain(terms.unit_amount)
