"""Upkeep tasks."""

from __future__ import annotations

from functools import partial

from billing.flows import healing, indexing, retention, second_person, upkeep
from billing.flows.in_turn import each_in_turn
from billing.flows.parts import Parts
from billing.queue.names import RECONCILE_TICK, UPKEEP_TICK
from billing.tasks.base import task


@task(UPKEEP_TICK)
def tick(parts: Parts) -> None:
    """Wake slices that nobody holds; close work items whose cause is gone; forget what is old enough.

    Orders that nobody approved end, and profiles from before it get the index of their e-mail address.
    """
    turns = (upkeep.wake_slices, upkeep.close_gone_work, second_person.expire, indexing.index_emails, retention.forget)
    each_in_turn((partial(turn, parts) for turn in turns), failed="some of the upkeep was not done")


@task(RECONCILE_TICK)
def reconcile(parts: Parts) -> None:
    """Go on comparing with the provider, once a day; heal a restored database; adopt what waits and fits by now."""
    healing.tick(parts)
