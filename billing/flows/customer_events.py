"""Events of customers: one was deleted at the provider. Whether it is there decides."""

from __future__ import annotations

from billing.commands.payment_method.lose_customer import lose_customer
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.rate import Rank


def customer(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Take off the methods of a customer that is no more. One that is not ours is kept and ignored."""
    living = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).has_customer(claimed.object_ref)
    failpoint("event.reread")
    status, error = EventStatus.PROCESSED, None
    with parts.begin() as session:
        now = parts.clock.now(session)
        if not living:
            account_id = claimed.provider_account_id
            if lose_customer(session, provider_account_id=account_id, customer_ref=claimed.object_ref, now=now):
                after_commit(session, COLLECTIONS_TICK)
            else:
                status, error = EventStatus.IGNORED, "no customer of ours"
        close(session, claimed, status=status, now=now, error=error)
    return status
