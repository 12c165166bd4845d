"""Tasks of the books."""

from __future__ import annotations

from billing.flows import accrual, movements, recognition
from billing.flows.in_turn import each_in_turn
from billing.flows.parts import Parts
from billing.queue.names import BOOKS_TICK
from billing.tasks.base import task

_MOST = 500_000
"""Steps in one run, some minutes of work: the next tick goes on."""


@task(BOOKS_TICK)
def tick(parts: Parts) -> None:
    """Recognise what was earned, accrue a month that is over, read the providers' balances on."""
    turns = (
        lambda: recognition.recognise_due(parts, most=_MOST),
        lambda: accrual.accrue_due(parts),
        lambda: movements.sweep(parts),
    )
    each_in_turn(turns, failed="some of the books are not up to date")
