"""Audit task."""

from __future__ import annotations

from billing.flows import auditing
from billing.flows.parts import Parts
from billing.queue.names import AUDIT_TICK
from billing.tasks.base import task


@task(AUDIT_TICK)
def tick(parts: Parts) -> None:
    """Check what changed, if it is time."""
    auditing.tick(parts)
