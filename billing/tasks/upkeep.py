"""Upkeep tasks."""

from __future__ import annotations

from billing.flows import healing, indexing, retention, second_person, upkeep
from billing.flows.parts import Parts
from billing.queue.names import RECONCILE_TICK, UPKEEP_TICK
from billing.tasks.base import task


@task(UPKEEP_TICK)
def tick(parts: Parts) -> None:
    """Wake slices that nobody holds; close work items whose cause is gone; forget what is old enough.

    Orders that nobody approved end, and profiles from before it get the index of their e-mail address.
    """
    try:
        upkeep.wake_slices(parts)
        upkeep.close_gone_work(parts)
        second_person.expire(parts)
        indexing.index_emails(parts)
    finally:
        retention.forget(parts)


@task(RECONCILE_TICK)
def reconcile(parts: Parts) -> None:
    """Go on comparing with the provider, once a day; heal a restored database; adopt what waits and fits by now."""
    healing.tick(parts)
