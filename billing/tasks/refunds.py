"""Refund tasks."""

from __future__ import annotations

from uuid import UUID

from billing.flows import refunding
from billing.flows.parts import Parts
from billing.queue.names import REFUNDS_SEND, REFUNDS_TICK
from billing.tasks.base import task


@task(REFUNDS_TICK)
def tick(parts: Parts) -> None:
    """Send or ask about refunds that are due."""
    refunding.sweep(parts)


@task(REFUNDS_SEND)
def send(parts: Parts, refund_id: UUID) -> None:
    """Send one refund."""
    refunding.send(parts, refund_id)
