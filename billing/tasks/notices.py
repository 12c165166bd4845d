"""Notice tasks."""

from __future__ import annotations

from billing.flows import notices, owners
from billing.flows.parts import Parts
from billing.queue.names import NOTICES_TICK
from billing.tasks.base import task


@task(NOTICES_TICK)
def tick(parts: Parts) -> None:
    """Announce renewals to come; send the mails that wait, and those to owners of endpoints that went off."""
    try:
        notices.announce(parts)
    finally:
        try:
            notices.send(parts)
        finally:
            owners.tell_owners(parts)
