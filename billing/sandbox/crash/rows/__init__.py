"""The rows of the failure matrix that are proven here, in order."""

from __future__ import annotations

from billing.sandbox.crash.case import Row
from billing.sandbox.crash.rows import broker, charges, provider, restore, schedule, webhooks


def _order(row: Row) -> tuple[bool, int, str]:
    return (not row.number.isdecimal(), int(row.number) if row.number.isdecimal() else 0, row.number)


ROWS: tuple[Row, ...] = tuple(
    sorted((*charges.ROWS, *provider.ROWS, *broker.ROWS, *schedule.ROWS, *restore.ROWS, *webhooks.ROWS), key=_order)
)
"""By number; the two that have only a name come last."""
