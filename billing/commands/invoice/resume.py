"""Resume: a customer's attempt at our page has ended without money, and the schedule goes on where it stood."""

from __future__ import annotations

from billing.models import Invoice
from billing.rules.dunning import FOR_GOOD, DeclineClass


def resume(invoice: Invoice, *, decline: DeclineClass | None = None) -> None:
    """Let the next scheduled try happen in its time; not with a method that was just refused for good.

    The caller holds the row. An attempt of the customer's neither uses nor moves the schedule.
    """
    invoice.charge_not_before = None
    if decline in FOR_GOOD:
        invoice.waits_for_method = True
