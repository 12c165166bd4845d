"""Leave: what a cancel gives back of a period that is paid and not used up. Pure; the flow writes it.

Source: the scenario contract, rule 6.
"""

from __future__ import annotations

from datetime import datetime

from billing.commands.subscription.biller import Biller
from billing.commands.subscription.prorate import credits_for
from billing.queries.charged import Charged
from billing.rules.walk import Span


def plan_give_back(biller: Biller, charged: Charged, running: Span, *, at: datetime) -> None:
    """Credit what paid documents charged, into the balance; a credit for a line that still waits, waits with it."""
    found = credits_for(biller, charged, biller.items, at=at, end=running.end)
    biller.wait([credit for line, credit in found if line.status is None])
    paid = [credit for line, credit in found if line.status is not None and line.counts_as_paid(at)]
    if paid:
        biller.compose(Span(at, running.end), paid)
