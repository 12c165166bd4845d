"""Events of mandates: the leave to charge a method was given, or taken back. The mandate as re-read decides."""

from __future__ import annotations

from billing.commands.payment_method.lose import lose_methods
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.queries.payment_method import method_of_ref
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.rate import Rank


def mandate(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Charge a method no more whose mandate has ended. A mandate of no method of ours is kept and ignored."""
    account_id = claimed.provider_account_id
    facts = parts.provider(account_id, rank=Rank.REREADS).read_mandate(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        ours = method_of_ref(session, provider_account_id=account_id, method_ref=facts.method_ref or "")
        if ours is None:
            close(session, claimed, status=EventStatus.IGNORED, now=now, error="no method of ours")
            return EventStatus.IGNORED
        # A method may have had another mandate before: the end of that one says nothing of this one.
        ended = facts.status == "inactive" and ours.mandate_ref in (None, facts.mandate_ref)
        if ended and lose_methods(session, profile_id=ours.profile_id, method_ids=[ours.id], now=now):
            after_commit(session, COLLECTIONS_TICK)
        close(session, claimed, status=EventStatus.PROCESSED, now=now)
    return EventStatus.PROCESSED
