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

# What was taken in after the copy that a database was restored from is gone with it: reconciliation reads the objects.
_NOT_KEPT = """
SELECT 'event', g.event_ref, format('%s: its delivery was answered with success, it is not here', g.type)
FROM witness_event g
LEFT JOIN billing.provider_event e ON e.provider_account_id = g.provider_account_id AND e.event_ref = g.event_ref
WHERE g.delivered AND e.id IS NULL
  AND NOT EXISTS (SELECT FROM billing.audit_trail t WHERE t.action = 'database.restored' AND g.created <= t.happened_at)
"""

# Up to where an account's list was read nothing may be missing; what is old enough to have been read neither. The list
# goes back thirty days: what dropped out of it shows in the objects.
_NOT_LISTED = """
SELECT 'event', g.event_ref, format('%s of %s: the provider lists it, it is not here', g.type, g.created)
FROM witness_event g
JOIN billing.provider_account a ON a.id = g.provider_account_id
LEFT JOIN billing.provider_event e ON e.provider_account_id = g.provider_account_id AND e.event_ref = g.event_ref
WHERE e.id IS NULL AND g.type = ANY(:event_types)
  AND g.created > CAST(:now AS timestamptz) - interval '30 days'
  AND g.created < greatest(a.events_read_to, :listed_before)
"""

_UNVERIFIED = """
SELECT 'provider_event', e.id, format('livemode is %s, that of its account %s is %s', e.livemode, a.code, a.livemode)
FROM billing.provider_event e
JOIN billing.provider_account a ON a.id = e.provider_account_id
WHERE e.livemode <> a.livemode
UNION ALL
SELECT 'provider_event', id, 'nobody knows which secret signed it'
FROM billing.provider_event WHERE secret_index < 0 OR length(body_hash) <> 32
"""

EVENTS = (
    Invariant(
        code="E1",
        meaning="Every event whose delivery was answered with success is kept.",
        counted="SELECT count(*) FROM billing.provider_event",
        witnessed=(finds(_NOT_KEPT),),
    ),
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
    Invariant(
        code="E4",
        meaning="Every event of a type that has a handler is here that the provider has listed for some hours.",
        counted="SELECT count(*) FROM billing.provider_event",
        witnessed=(finds(_NOT_LISTED),),
    ),
    Invariant(
        code="E6",
        meaning="Every event was signed with a secret of ours or read from the provider's list, in its account's mode.",
        counted="SELECT count(*) FROM billing.provider_event",
        checks=(finds(_UNVERIFIED),),
    ),
)
