"""Tasks of what documents need besides paper."""

from __future__ import annotations

from billing.flows import structuring
from billing.flows.parts import Parts
from billing.queue.names import DOCUMENTS_TICK
from billing.tasks.base import task


@task(DOCUMENTS_TICK)
def tick(parts: Parts) -> None:
    """Hand over the structured invoices that wait."""
    structuring.send_structured(parts)
