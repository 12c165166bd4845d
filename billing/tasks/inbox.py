"""Inbox tasks."""

from __future__ import annotations

from uuid import UUID

from billing.flows import backfill as filling
from billing.flows import inbox
from billing.flows.parts import Parts
from billing.queue.names import INBOX_BACKFILL, INBOX_PROCESS, INBOX_TICK
from billing.tasks.base import task


@task(INBOX_TICK)
def tick(parts: Parts) -> None:
    """Nudge a worker for every event whose try is due."""
    inbox.sweep(parts)


@task(INBOX_BACKFILL)
def backfill(parts: Parts) -> None:
    """Take in what the provider's list of events has and no delivery brought."""
    filling.sweep(parts)


@task(INBOX_PROCESS)
def process(parts: Parts, *events: UUID) -> None:
    """Handle events."""
    inbox.process_all(parts, *events)
