"""Events: each delivery is stored once and comes to an end.

Waiting events are found by `ix_provider_event_waiting` or their status; doubles by the unique index (account, event).
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_DOUBLES = """
SELECT 'provider_event', min(id::text), format('%s is stored %s times', event_ref, count(*))
FROM billing.provider_event
GROUP BY provider_account_id, event_ref HAVING count(*) > 1
"""

_UNHANDLED = """
SELECT 'provider_event', id, format('%s %s since %s, %s tries', type, status, created_at, tries)
FROM billing.provider_event
WHERE status IN ('received', 'processing') AND created_at < :handled_before
UNION ALL
SELECT 'provider_event', id, format('%s is dead without a reason', type)
FROM billing.provider_event
WHERE status = 'dead' AND coalesce(error, '') = ''
"""

EVENTS = (
    Invariant(
        code="E2",
        meaning="A provider's event is stored once, however often it was delivered.",
        counted="SELECT count(*) FROM billing.provider_event",
        checks=(finds(_DOUBLES),),
    ),
    Invariant(
        code="E3",
        meaning="Every event was handled, ignored by a rule, or given up with a reason, in time.",
        counted="SELECT count(*) FROM billing.provider_event",
        checks=(finds(_UNHANDLED),),
    ),
)
