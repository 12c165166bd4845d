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
    """Credit what paid documents charged, into the balance.

    A credit for a line that still waits, waits with it; one for a line on a draft stands on that.
    """
    found = credits_for(biller, charged, biller.items, at=at, end=running.end)
    biller.wait([credit for line, credit in found if line.status is None])
    told = [(line, credit) for line, credit in found if line.status is not None]
    paid = biller.after_drafts([each for each in told if each[0].on_draft or each[0].counts_as_paid(at)])
    if paid:
        biller.compose(Span(at, running.end), paid)
