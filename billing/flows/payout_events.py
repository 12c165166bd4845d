"""Events of payouts: a hint to look. The payout as re-read decides, whatever the order of arrival."""

from __future__ import annotations

from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows import movements
from billing.flows.parts import Parts
from billing.flows.payouts import settle_payout
from billing.kernel.status import EventStatus


def payout(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Read the balance on, so that the payout's movements are known, then book what the payout shows.

    For as long as the event is this worker's. Where the balance has more, the event waits for it, and uses up no try.
    """
    budget_s = parts.settings.lease_s / 3
    _, whole = movements.read(parts, claimed.provider_account_id, budget_s=budget_s)
    if not whole:
        with parts.begin() as session:
            close(
                session,
                claimed,
                status=EventStatus.RECEIVED,
                error="the balance is still being read",
                again_s=parts.settings.lease_s,
                untried=True,
            )
        return EventStatus.RECEIVED
    settle_payout(parts, claimed.provider_account_id, claimed.object_ref, budget_s=budget_s)
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.PROCESSED, now=parts.clock.now(session))
    return EventStatus.PROCESSED
