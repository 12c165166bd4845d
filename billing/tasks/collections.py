"""Collection tasks."""

from __future__ import annotations

from uuid import UUID

from billing.flows import collection, resolution
from billing.flows.parts import Parts
from billing.queue.names import COLLECTIONS_CHARGE, COLLECTIONS_RESOLVE, COLLECTIONS_TICK
from billing.tasks.base import task


@task(COLLECTIONS_TICK)
def tick(parts: Parts) -> int:
    """Cut invoices that are due for a try into slices."""
    return collection.plan(parts)


@task(COLLECTIONS_CHARGE)
def charge(parts: Parts, slice_id: UUID) -> int:
    """Charge one slice."""
    return collection.charge(parts, slice_id)


@task(COLLECTIONS_RESOLVE)
def resolve(parts: Parts) -> None:
    """Ask about attempts that wait for an answer."""
    resolution.resolve(parts)
