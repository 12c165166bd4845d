"""The rows of the failure matrix that are proven here, in order."""

from __future__ import annotations

from billing.sandbox.crash.case import Row
from billing.sandbox.crash.rows import (
    answers,
    broker,
    charges,
    clocks,
    database,
    doors,
    hearing,
    lines,
    people,
    provider,
    refunds,
    restore,
    schedule,
    stops,
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
        ),
        key=_order,
    )
)
"""By number; the two that have only a name come last."""

ELSEWHERE = {
    "51": "beat keeps no file",
    "78": "no documents are made yet",
    "80": "the nemesis: ./run crash --nemesis",
}
"""Rows of the matrix without a case here, and why."""
