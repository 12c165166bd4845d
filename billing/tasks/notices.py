"""Notice tasks."""

from __future__ import annotations

from billing.flows import notices
from billing.flows.parts import Parts
from billing.queue.names import NOTICES_TICK
from billing.tasks.base import task


@task(NOTICES_TICK)
def tick(parts: Parts) -> None:
    """Announce renewals to come; send the mails that wait."""
    try:
        notices.announce(parts)
    finally:
        notices.send(parts)
