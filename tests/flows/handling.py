"""Handling one event of the inbox."""

from __future__ import annotations

from uuid import UUID

from billing.flows.inbox import process_all
from billing.flows.parts import Parts
from billing.kernel.status import EventStatus


def process(parts: Parts, event_id: UUID) -> EventStatus | None:
    """Handle it. None where it is handled already or in other hands."""
    return process_all(parts, event_id).get(event_id)
