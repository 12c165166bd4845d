"""Jobs: the rows that are jobs (slices, attempts, events) are over, or will be taken up; their states add up.

Live slices, open attempts and waiting events stand in partial indexes (`ix_slice_live`, `ix_payment_open_check`,
`ix_provider_event_waiting`); the sums read each table once.
"""

from __future__ import annotations

from enum import StrEnum

from billing.kernel.status import (
    OPEN_PAYMENT,
    DisputeStatus,
    EventStatus,
    PaymentStatus,
    RefundStatus,
    SliceStatus,
    WorkItemStatus,
)
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
SELECT 'refund', id, format('%s, nobody came since %s', status,
                            coalesce(greatest(lease_until, next_check_at), updated_at))
FROM billing.refund
WHERE status IN ('pending', 'requires_action')
  AND coalesce(greatest(lease_until, next_check_at), updated_at) < :picked_up_before
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

_LEAST_ALONE, _MOST_TRIES = 4, 9
"""One more than flows allow: the start that finds that it was one too many ends the job."""

_BEYOND_THE_CAP = f"""
SELECT 'slice', id, format('%s started %s times', status, tries)
FROM billing.slice
WHERE status IN ('pending', 'running') AND tries > {_LEAST_ALONE} AND kind = 'renewals'
UNION ALL
SELECT 'provider_event', e.id, format('%s after %s tries, and nobody was told', e.status, e.tries)
FROM billing.provider_event e
LEFT JOIN billing.work_item w ON w.subject_id = e.id
WHERE (e.status IN ('received', 'processing') AND e.tries > {_MOST_TRIES}) OR (e.status = 'dead' AND w.id IS NULL)
"""  # noqa: S608 (our own numbers)

# Each claim raises the token in the same statement as the tries; a sending is a write by who holds the token.
_UNFENCED = """
SELECT 'slice', id, format('%s, started %s times under the token %s', status, tries, token)
FROM billing.slice WHERE token < tries OR (status = 'running' AND lease_until IS NULL)
UNION ALL
SELECT 'provider_event', id, format('%s, taken %s times under the token %s', status, tries, token)
FROM billing.provider_event WHERE token < tries OR (status = 'processing' AND lease_until IS NULL)
UNION ALL
SELECT 'payment', id, format('%s, sent under no token', status)
FROM billing.payment WHERE first_sent_at IS NOT NULL AND token = 0
UNION ALL
SELECT 'refund', id, format('%s, sent under no token', status)
FROM billing.refund WHERE first_sent_at IS NOT NULL AND token = 0
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
        meaning="Each slice, attempt, refund and event is over, in someone's hands, or will be taken up again in time.",
        counted=_JOBS,
        checks=(finds(_STRANDED),),
    ),
    Invariant(
        code="J4",
        meaning="No slice and no event is tried beyond its cap; what was given up on is somebody's work.",
        counted=_JOBS,
        checks=(finds(_BEYOND_THE_CAP),),
    ),
    Invariant(
        code="J5",
        meaning="Each slice, attempt, event, refund, dispute and work item is in a known state; no split lost any.",
        counted=_ROWS_WITH_STATES,
        checks=(
            _states("slice", SliceStatus),
            _states("payment", PaymentStatus),
            _states("provider_event", EventStatus),
            _states("work_item", WorkItemStatus),
            _states("refund", RefundStatus),
            _states("dispute", DisputeStatus),
            finds(_LOST_IN_SPLITTING),
        ),
    ),
    Invariant(
        code="J6",
        meaning="Whatever was taken or sent was so under a token of its own.",
        counted=_JOBS,
        checks=(finds(_UNFENCED),),
    ),
)
