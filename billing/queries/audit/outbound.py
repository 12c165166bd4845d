"""Outbound: whoever is to hear of an event has its delivery, each delivery is brought or given up in time.

Deliveries are found by their key, what waits at an endpoint by `ix_delivery_due`, what was given up by
`ix_delivery_dead`.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.queries.endpoint import HEARS
from billing.rules.delivery import GIVEN_UP_AFTER

# Events and deliveries are purged by age, deliveries first: of those an endpoint still has, and of the last day, none
# may be missing. One that was off gets what it missed as it is switched on.
_NOT_MADE = f"""
SELECT 'outbox', o.id, format('%s was handed over; endpoint %s hears of it and has no delivery', o.topic, e.code)
FROM billing.outbox o
JOIN billing.endpoint e
  ON e.seller_id = o.seller_id AND e.status = 'on' AND e.created_at <= o.created_at AND {HEARS}
LEFT JOIN billing.delivery d ON d.endpoint_id = e.id AND d.outbox_id = o.id
WHERE o.delivered_at IS NOT NULL AND d.outbox_id IS NULL
  AND (o.created_at > CAST(:wall AS timestamptz) - interval '1 day'
       OR o.id > (SELECT outbox_id FROM billing.delivery WHERE endpoint_id = e.id ORDER BY outbox_id LIMIT 1))
"""  # noqa: S608 (our own words)

_NOT_TRIED = """
SELECT 'outbox', o.id, format('%s is delivered at endpoint %s, and no try of it was taken', o.topic, e.code)
FROM billing.outbox o
JOIN billing.endpoint e ON e.seller_id = o.seller_id
JOIN billing.delivery d ON d.endpoint_id = e.id AND d.outbox_id = o.id AND d.status = 'delivered'
WHERE NOT EXISTS (SELECT FROM billing.delivery_attempt a
                  WHERE a.endpoint_id = d.endpoint_id AND a.outbox_id = d.outbox_id AND a.outcome = 'delivered')
"""

EVERYBODY_HEARS = (finds(_NOT_MADE), finds(_NOT_TRIED))

_NOT_HANDED_OVER = f"""
SELECT 'outbox', o.id, format('%s waits since %s to be handed over to endpoint %s', o.topic, o.created_at, e.code)
FROM billing.outbox o
JOIN billing.endpoint e ON e.seller_id = o.seller_id AND e.created_at <= o.created_at AND {HEARS}
WHERE o.delivered_at IS NULL AND o.created_at < :picked_up_before AND e.created_at < :picked_up_before
"""  # noqa: S608 (our own words)

# While an endpoint fails it is paused, and one that is brought one event after another has a queue: both are no fault.
_NOBODY_BRINGS = """
SELECT 'endpoint', e.id, format('%s is on; a delivery is due since %s, and nobody came', e.code, d.next_try_at)
FROM billing.endpoint e
CROSS JOIN LATERAL (SELECT next_try_at FROM billing.delivery
                    WHERE endpoint_id = e.id AND status = 'waiting' ORDER BY next_try_at LIMIT 1) d
WHERE e.status = 'on' AND greatest(d.next_try_at, e.paused_until, e.delivered_at) < :picked_up_before
"""

_NEVER_GIVEN_UP = """
SELECT 'outbox', d.outbox_id, format('tried at %s since %s, neither taken nor given up', e.code, d.first_try_at)
FROM billing.delivery d
JOIN billing.endpoint e ON e.id = d.endpoint_id AND e.status = 'on'
WHERE d.status = 'waiting' AND d.first_try_at + CAST(:life AS interval) < :handled_before
  AND coalesce(e.paused_until, d.next_try_at) < :handled_before
"""

_NOBODY_WAS_TOLD = """
SELECT 'endpoint', e.id, format('%s: deliveries were given up, the last at %s, and nobody was told', e.code,
                                (SELECT max(d.closed_at) FROM billing.delivery d
                                 WHERE d.endpoint_id = e.id AND d.status = 'dead'))
FROM billing.endpoint e
WHERE EXISTS (SELECT FROM billing.delivery d WHERE d.endpoint_id = e.id AND d.status = 'dead')
  AND NOT EXISTS (SELECT FROM billing.work_item w WHERE w.subject_id = e.id AND w.kind = 'deliveries_dead')
UNION ALL
SELECT 'endpoint', e.id, format('%s is off since %s, and nobody was told', e.code, e.off_at)
FROM billing.endpoint e
WHERE e.status = 'off'
  AND NOT EXISTS (SELECT FROM billing.work_item w WHERE w.subject_id = e.id AND w.kind = 'endpoint_off')
  AND NOT EXISTS (SELECT FROM billing.audit_trail a WHERE a.subject_id = e.id AND a.action = 'endpoint.off')
"""

IN_TIME = Invariant(
    code="J2",
    meaning="What an endpoint hears of is handed over and brought in time, or given up and somebody's work.",
    counted="SELECT count(*) FROM billing.outbox",
    checks=(
        finds(_NOT_HANDED_OVER),
        finds(_NOBODY_BRINGS),
        finds(_NEVER_GIVEN_UP, only_whole=True, life=GIVEN_UP_AFTER),
        finds(_NOBODY_WAS_TOLD),
    ),
)
