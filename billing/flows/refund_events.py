"""Events of refunds: a hint to look. The refund as re-read decides, whatever the order of arrival."""

from __future__ import annotations

from sqlalchemy import select

from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.commands.refund.record import note_facts
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.moves import allowed
from billing.kernel.status import EventStatus, RefundStatus
from billing.models import Refund
from billing.rules.rate import Rank


def refund(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note what became of a refund of ours, also where a bank sent it back days after it took it."""
    facts = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).read_refund(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        found = session.scalars(
            select(Refund)
            .where(
                Refund.provider_account_id == claimed.provider_account_id,
                Refund.refund_ref == claimed.object_ref,
            )
            .with_for_update()
        ).one_or_none()
        if found is None:
            # Not ours, or its answer is still on its way: that, or the sweep, brings the same facts.
            close(session, claimed, status=EventStatus.IGNORED, now=now, error="no refund of ours")
            return EventStatus.IGNORED
        status = RefundStatus(facts.status)
        if status == found.status or allowed(RefundStatus(found.status), status):
            found.token += 1
            note_facts(session, refund=found, facts=facts, now=now, wall=wall_now(session))
        close(session, claimed, status=EventStatus.PROCESSED, now=now)
    return EventStatus.PROCESSED
