"""Jobs: the rows that are jobs (slices, attempts, events) are over, or will be taken up; their states add up.

Live slices, open attempts and waiting events stand in partial indexes (`ix_slice_live`, `ix_payment_open_check`,
`ix_provider_event_waiting`); the sums read each table once.
"""

from __future__ import annotations

from enum import StrEnum

from billing.kernel.status import OPEN_PAYMENT, EventStatus, PaymentStatus, SliceStatus, WorkItemStatus
from billing.queries.audit.invariant import Check, Invariant, finds

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

# greatest() passes over nulls: the later of the lease's end and the next try is when somebody must have come.
_STRANDED = f"""
SELECT 'slice', id, format('%s %s, nobody came since %s', kind, status, coalesce(lease_until, updated_at))
FROM billing.slice
WHERE status IN ('pending', 'running') AND coalesce(lease_until, updated_at) < :picked_up_before
UNION ALL
SELECT 'payment', id, format('%s, nobody came since %s', status,
                             coalesce(greatest(lease_until, next_check_at), updated_at))
FROM billing.payment
WHERE status IN ({_OPEN}) AND coalesce(greatest(lease_until, next_check_at), updated_at) < :picked_up_before
UNION ALL
SELECT 'provider_event', id, format('%s, nobody came since %s', status,
                                    coalesce(greatest(lease_until, next_try_at), updated_at))
FROM billing.provider_event
WHERE status IN ('received', 'processing')
  AND coalesce(greatest(lease_until, next_try_at), updated_at) < :picked_up_before
"""  # noqa: S608 (our own names)


def _states(table: str, known: type[StrEnum]) -> Check:
    """Rows in a state that nobody knows: the sum over the known states is then less than the whole."""
    rows = f"SELECT '{table}', id, 'is in the unknown state ' || status FROM billing.{table}"  # noqa: S608 (our names)
    return finds(f"{rows} WHERE NOT status = ANY(:known)", known=[str(state) for state in known])


_LOST_IN_SPLITTING = """
SELECT 'slice', s.id, format('was split; its member %s is in no part', m.id)
FROM billing.slice s
CROSS JOIN LATERAL unnest(s.member_ids) AS m(id)
LEFT JOIN (SELECT c.parent_id, part.id FROM billing.slice c CROSS JOIN LATERAL unnest(c.member_ids) AS part(id)
           WHERE c.parent_id IS NOT NULL) c ON c.parent_id = s.id AND c.id = m.id
WHERE s.status = 'split' AND c.id IS NULL
UNION ALL
SELECT 'slice', s.id, format('was split; its subscription %s is in no part', m.id)
FROM billing.slice s
CROSS JOIN LATERAL unnest(s.subscription_ids) AS m(id)
LEFT JOIN (SELECT c.parent_id, part.id FROM billing.slice c CROSS JOIN LATERAL unnest(c.subscription_ids) AS part(id)
           WHERE c.parent_id IS NOT NULL) c ON c.parent_id = s.id AND c.id = m.id
WHERE s.status = 'split' AND c.id IS NULL
"""

_JOBS = """
SELECT (SELECT count(*) FROM billing.slice) + (SELECT count(*) FROM billing.payment)
     + (SELECT count(*) FROM billing.provider_event)
"""

_ROWS_WITH_STATES = """
SELECT (SELECT count(*) FROM billing.slice) + (SELECT count(*) FROM billing.payment)
     + (SELECT count(*) FROM billing.provider_event) + (SELECT count(*) FROM billing.work_item)
"""

JOBS = (
    Invariant(
        code="J3",
        meaning="Every slice, attempt and event is over, in someone's hands, or will be taken up again in time.",
        counted=_JOBS,
        checks=(finds(_STRANDED),),
    ),
    Invariant(
        code="J5",
        meaning="Slices, attempts, events and work items are each in a known state; a split slice lost no member.",
        counted=_ROWS_WITH_STATES,
        checks=(
            _states("slice", SliceStatus),
            _states("payment", PaymentStatus),
            _states("provider_event", EventStatus),
            _states("work_item", WorkItemStatus),
            finds(_LOST_IN_SPLITTING),
        ),
    ),
)
