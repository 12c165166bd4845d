"""The rows of the failure matrix that are proven here, in order."""

from __future__ import annotations

from billing.sandbox.crash.case import Row
from billing.sandbox.crash.rows import (
    answers,
    asking,
    broker,
    charges,
    clocks,
    database,
    doors,
    hearing,
    lines,
    papers,
    people,
    provider,
    refunds,
    restore,
    schedule,
    stops,
    storm,
    upgrade,
    webhooks,
)


def _order(row: Row) -> tuple[bool, int, str]:
    return (not row.number.isdecimal(), int(row.number) if row.number.isdecimal() else 0, row.number)


ROWS: tuple[Row, ...] = tuple(
    sorted(
        (
            *charges.ROWS,
            *stops.ROWS,
            *provider.ROWS,
            *answers.ROWS,
            *broker.ROWS,
            *lines.ROWS,
            *database.ROWS,
            *schedule.ROWS,
            *restore.ROWS,
            *webhooks.ROWS,
            *doors.ROWS,
            *refunds.ROWS,
            *people.ROWS,
            *hearing.ROWS,
            *clocks.ROWS,
            *upgrade.ROWS,
            *papers.ROWS,
            *asking.ROWS,
            *storm.ROWS,
        ),
        key=_order,
    )
)
"""By number; the two that have only a name come last."""

BY_WALLET = frozenset(
    (*map(str, range(1, 14)), *map(str, range(15, 20)), *"21 22 24 25 26 27 28 29 32 33 34 35 58 59 60 63 76".split())
)
"""Rows that speak no provider's dialect: deaths around charges, refunds, disputes and voids, what a provider may answer
or not, webhooks in any order, and an older copy of the database. They are played with PayPal too."""
