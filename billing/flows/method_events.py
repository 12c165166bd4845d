"""Events of payment methods: a card was renewed at the provider. The method as re-read decides."""

from __future__ import annotations

from billing.commands.payment_method.refresh import refresh_method
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.queries.payment_method import method_of_ref
from billing.rules.rate import Rank


def payment_method(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note the card's new data, and try what waited for them. One that is not ours is kept and ignored."""
    with parts.begin() as session:
        ours = method_of_ref(session, provider_account_id=claimed.provider_account_id, method_ref=claimed.object_ref)
    if ours is None:
        with parts.begin() as session:
            close(session, claimed, status=EventStatus.IGNORED, now=parts.clock.now(session))
        return EventStatus.IGNORED
    facts = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).read_method(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        refresh_method(session, method_id=ours.id, facts=facts, now=now)
        close(session, claimed, status=EventStatus.PROCESSED, now=now)
    return EventStatus.PROCESSED
