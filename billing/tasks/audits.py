"""Audit tasks."""

from __future__ import annotations

from billing.flows import auditing
from billing.flows.parts import Parts
from billing.queue.names import AUDIT_TICK, AUDIT_WHOLE
from billing.tasks.base import task


@task(AUDIT_TICK)
def tick(parts: Parts) -> None:
    """Check what changed, if it is time."""
    auditing.tick(parts)


@task(AUDIT_WHOLE, limit_s=auditing.WHOLE_LIMIT.total_seconds())
def whole(parts: Parts) -> None:
    """Check everything, if it is time."""
    auditing.tick_whole(parts)
