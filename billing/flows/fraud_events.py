"""Events of early fraud warnings: a hint to look. What is re-read decides, in any order of arrival."""

from __future__ import annotations

from billing.commands.dispute.warn import note_warning
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.dispute_events import charge_of_ours, set_aside
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.queries.invoice import lock_successor
from billing.rules.rate import Rank


def fraud_warning(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Keep an issuer's early word that a charge may be fraud, as a person's work: a refund now spares the dispute."""
    facts = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).read_fraud_warning(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        charged = charge_of_ours(session, claimed.provider_account_id, facts.charge_ref)
        if charged is not None:
            invoice = lock_successor(session, charged.invoice_id)
            note_warning(session, account_id=claimed.provider_account_id, invoice=invoice, facts=facts, now=now)
            close(session, claimed, status=EventStatus.PROCESSED, now=now)
            return EventStatus.PROCESSED
    return set_aside(parts, claimed, facts.charge_ref)
