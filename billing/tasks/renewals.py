"""Renewal tasks."""

from __future__ import annotations

from uuid import UUID

from billing.flows import drafts, incomplete, renewal
from billing.flows.in_turn import each_in_turn
from billing.flows.parts import Parts
from billing.queue.names import RENEWALS_BILL, RENEWALS_TICK
from billing.tasks.base import task


@task(RENEWALS_TICK)
def tick(parts: Parts) -> int:
    """Cut what is due into slices; issue drafts that wait for nothing any more; give up what was never paid for."""
    planned = list[int]()
    turns = (
        lambda: planned.append(renewal.plan(parts)),
        lambda: incomplete.part_with(parts),
        lambda: drafts.sweep(parts),
        lambda: incomplete.sweep(parts),
    )
    each_in_turn(turns, failed="some of what is due was not planned, issued or given up")
    return sum(planned)


@task(RENEWALS_BILL)
def bill(parts: Parts, slice_id: UUID) -> int:
    """Bill one slice."""
    return renewal.bill(parts, slice_id)
