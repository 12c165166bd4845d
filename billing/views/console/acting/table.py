"""Every act of the console, by the page that offers it."""

from __future__ import annotations

from billing.queries.operations.paging import Facts
from billing.views.console.acting import brakes, endpoints, invoices, others, subscriptions
from billing.views.console.acting.act import Act
from billing.views.console.visiting import visit

ACTS: dict[str, tuple[Act, ...]] = {
    "invoices": invoices.ACTS,
    "payments": others.PAYMENT,
    "subscriptions": subscriptions.ACTS,
    "customers": (*others.CUSTOMER, *brakes.CUSTOMER),
    "events": others.EVENT,
    "outgoing": endpoints.OUTGOING,
    "disputes": others.DISPUTE,
    "payouts": (),
    "endpoints": endpoints.ENDPOINT,
    "acceptances": others.ACCEPTANCE,
}


def offered(place: str, facts: Facts) -> list[Act]:
    """What this page offers to whoever looks at it."""
    return [each for each in ACTS[place] if not each.hidden and visit().may(each.permission) and each.offered(facts)]
