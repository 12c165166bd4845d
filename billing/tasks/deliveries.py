"""Tasks that bring domain events to the host application."""

from __future__ import annotations

from uuid import UUID

from billing.flows import delivery
from billing.flows.parts import Parts
from billing.queue.names import DELIVERIES_SEND, DELIVERIES_TICK
from billing.tasks.base import task


@task(DELIVERIES_TICK)
def tick(parts: Parts) -> None:
    """Hand over what is new, and wake a worker for each endpoint with something due."""
    delivery.sweep(parts)


@task(DELIVERIES_SEND)
def send(parts: Parts, endpoint_id: UUID) -> None:
    """Deliver what is due at one endpoint."""
    delivery.deliver(parts, endpoint_id)
