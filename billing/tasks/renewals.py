"""Renewal tasks."""

from __future__ import annotations

from uuid import UUID

from billing.flows import drafts, incomplete, renewal
from billing.flows.parts import Parts
from billing.queue.names import RENEWALS_BILL, RENEWALS_TICK
from billing.tasks.base import task


@task(RENEWALS_TICK)
def tick(parts: Parts) -> None:
    """Cut what is due into slices; issue drafts whose review is over; give up what was never paid for."""
    renewal.plan(parts)
    drafts.sweep(parts)
    incomplete.sweep(parts)


@task(RENEWALS_BILL)
def bill(parts: Parts, slice_id: UUID) -> None:
    """Bill one slice."""
    renewal.bill(parts, slice_id)
