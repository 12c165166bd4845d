"""What still waits, in our rows and at the provider. Nothing at all is what convergence means."""

from __future__ import annotations

from sqlalchemy import text

from billing.flows.backfill import EVERY, OVERLAP
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderUnavailable
from billing.providers.stripe.witness import Witness

_WAITING = text(
    """
    SELECT 'slices', count(*) FROM billing.slice WHERE status IN ('pending', 'running')
    UNION ALL SELECT 'attempts', count(*) FROM billing.payment WHERE status IN ('prepared', 'sent', 'unknown')
    UNION ALL SELECT 'refunds', count(*) FROM billing.refund
        WHERE status IN ('pending', 'requires_action') AND next_check_at <= clock_timestamp() + interval '10 seconds'
    UNION ALL SELECT 'events', count(*) FROM billing.provider_event WHERE next_try_at IS NOT NULL
    UNION ALL SELECT 'invoices', count(*) FROM billing.invoice
        WHERE next_attempt_at <= :now AND hold_id IS NULL AND status = 'open'
    UNION ALL SELECT 'subscriptions', count(*) FROM billing.subscription s
        JOIN billing.profile p ON p.id = s.profile_id
        WHERE s.next_due_at <= :now AND s.hold_id IS NULL AND p.hold_id IS NULL
    UNION ALL SELECT 'lists of events', count(*) FROM billing.provider_account
        WHERE events_read_to IS NULL OR events_read_to <= :listed
    """
)


def waiting(parts: Parts, witness: Witness) -> dict[str, int]:
    """Counts by what waits; empty when all is quiet.

    The provider is read first: what it has delivered by then is in our rows.
    """
    try:
        state = witness.state()
    except ProviderUnavailable:
        return {"provider": 1}
    with parts.begin() as session:
        now = parts.clock.now(session)
        values = {"now": now, "listed": now - EVERY - OVERLAP}
        counts: dict[str, int] = {row[0]: row[1] for row in session.execute(_WAITING, values)}
    # A timer that is due makes an event in a moment, of which neither side shows anything yet.
    theirs = {"deliveries": state.undelivered_webhooks, "requests": state.in_flight_requests}
    counts |= theirs | {"timers": state.due_timers}
    return {name: count for name, count in counts.items() if count}
