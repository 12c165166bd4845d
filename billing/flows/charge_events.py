"""Events of charges: how a try to move money ended is its intent's to tell; what it moved, the balance's."""

from __future__ import annotations

from dataclasses import replace

from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.flows.payment_events import payment_intent
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.rules.rate import Rank


def charge(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Settle what the charge's intent now shows. A charge without an intent is none of ours."""
    facts = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).read_charge(claimed.object_ref)
    failpoint("event.reread")
    if facts.intent_ref is None:
        with parts.begin() as session:
            close(session, claimed, status=EventStatus.IGNORED, now=parts.clock.now(session), error="no intent")
        return EventStatus.IGNORED
    return payment_intent(parts, replace(claimed, object_ref=facts.intent_ref))


def charge_update(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Nothing is asked: what a charge moved is read from the list of the balance, a hundred charges to a call, and all
    else that may change about one (a refund, a dispute) has events of its own.
    """
    with parts.begin() as session:
        close(session, claimed, status=EventStatus.PROCESSED, now=parts.clock.now(session))
    return EventStatus.PROCESSED
