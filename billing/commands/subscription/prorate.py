"""Prorate: the credits and charges of a change inside a period. Pure.

Source: the scenario contract, rules 5 and 6. All credits come before all charges; a line of 0 is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.commands.invoice.planned import PlannedLine
from billing.commands.subscription.biller import Biller
from billing.commands.subscription.lines import as_json, charge_line
from billing.kernel.status import InvoiceStatus
from billing.queries.charged import Charged, ChargedLine
from billing.queries.standing import Item
from billing.rules.proration import kept_share, prorated_credit
from billing.rules.tax import carried
from billing.rules.walk import Span

_NOTHING_CAME = (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.EXPIRED)


def credits_for(
    biller: Biller, charged: Charged, items: Iterable[Item], *, at: datetime, end: datetime
) -> list[tuple[ChargedLine, PlannedLine]]:
    """What is unused from `at` on of the lines that charged these items, each with the line that it gives back."""
    made = []
    for item in items:
        line = charged.of(item) if item.price.usage is None else None
        if line is None:
            continue
        credit = _credit(biller, item, line, at=at, end=end)
        if credit.amount_minor:
            made.append((line, credit))
    return made


def _credit(biller: Biller, item: Item, line: ChargedLine, *, at: datetime, end: datetime) -> PlannedLine:
    share = prorated_credit(
        net_minor=line.net_minor,
        at=at,
        line_start=line.period_start,
        end=end,
        unit=biller.unit,
        zone=biller.row.timezone,
        kept=kept_share(total_minor=line.total_minor, refunded_minor=line.refunded_minor),
    )
    if line.tax_percent is not None and line.tax_inclusive is not None and line.tax_code is not None:
        treatment = carried(line.tax_percent, line.tax_inclusive, line.tax_code)
    else:
        treatment = biller.taxed(item.price, at)
    return PlannedLine(
        kind="proration_credit",
        price_id=line.price_id,
        description=line.description,
        quantity=str(item.quantity),
        unit_amount=None,
        amount_minor=share.amount_minor,
        discount_minor=0,
        treatment=treatment,
        period_start=at,
        period_end=end,
        how_json=as_json(share.how),
        credits_line_id=line.id,
        credits_issued=line.status is not None and not line.on_draft,
    )


def charges_for(biller: Biller, items: Iterable[Item], *, at: datetime, running: Span) -> list[PlannedLine]:
    """What the rest of the running period costs at these items' prices and quantities."""
    full_start = biller.full_start(running)
    lines = [
        charge_line(
            item, at, full_start, running.end, biller.taxed(item.price, at), unit=biller.unit, zone=biller.row.timezone
        )
        for item in items
        if item.price.usage is None
    ]
    return [line for line in lines if line.amount_minor]


def may_prorate(charged: Charged, lines: Sequence[PlannedLine], *, now: datetime) -> bool:
    """Whether a change writes these lines. Nothing is given back of what was voided, written off or never billed.

    While a document that charged the period is unpaid, or its payment disputed, only what makes the customer owe more
    is written. What a draft charged is given back on it, so nothing of it is owed.
    """
    issued = [line for line in charged.lines if line.status is not None]
    if not charged.billed or any(line.status in _NOTHING_CAME for line in issued):
        return False
    unpaid = [line for line in issued if not (line.on_draft or line.counts_as_paid(now))]
    return not unpaid or sum(line.amount_minor for line in lines) > 0
