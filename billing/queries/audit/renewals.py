"""Renewals: every period exists once, is billed once, not too early, not too late, and not after the end.

Periods are read in the order of their unique index (subscription_id, anchor_no, period_no), lines in one pass grouped
by subscription, price and start. A subscription is excused while it, or its customer, is on hold with a live work item.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.periods import EXCUSED, charged_twice, misplaced_periods, never_begun

# A draft's review may take off what it would charge; who did stands in the trail, of this document or of one before it.
_NOT_ON_ITS_DOCUMENT = """
SELECT 'billing_period', b.id, format('from %s: its document %s does not charge it', b.starts_at, b.invoice_id)
FROM billing.billing_period b
LEFT JOIN billing.invoice i ON i.id = b.invoice_id AND i.subscription_id = b.subscription_id
LEFT JOIN (SELECT invoice_id, period_start, period_end FROM billing.invoice_line WHERE kind = 'recurring'
           GROUP BY invoice_id, period_start, period_end) l
  ON l.invoice_id = i.id AND l.period_start = b.starts_at AND l.period_end = b.ends_at
WHERE b.disposition = 'billed' AND l.invoice_id IS NULL
  AND NOT EXISTS (
      WITH RECURSIVE one AS (
          SELECT i.id, i.corrects_id
          UNION ALL
          SELECT before.id, before.corrects_id FROM one JOIN billing.invoice before ON before.id = one.corrects_id)
      SELECT FROM one JOIN billing.audit_trail a ON a.subject_id = one.id WHERE a.action = 'draft.remove_line')
"""

_LAST = """
SELECT DISTINCT ON (subscription_id) subscription_id, ends_at
FROM billing.billing_period
ORDER BY subscription_id, anchor_no DESC, period_no DESC
"""

# What is due there is found by a sweep: it is late, which R6 says of it, and nothing is wrong with it.
_MISSING = f"""
SELECT 'subscription', s.id, format('the period from %s is neither billed nor recorded', last.ends_at)
FROM billing.subscription s
JOIN ({_LAST}) last ON last.subscription_id = s.id
WHERE s.status NOT IN ('canceled', 'incomplete_expired') AND last.ends_at <= :due_before
  AND (s.cancel_at IS NULL OR last.ends_at < s.cancel_at) AND s.next_due_at IS DISTINCT FROM last.ends_at
  AND NOT {EXCUSED}
"""  # noqa: S608 (our own text)

_EARLY = """
SELECT 'billing_period', b.id, format('begins at %s, was billed by %s at %s', b.starts_at, i.number, i.issued_at)
FROM billing.billing_period b
JOIN billing.invoice i ON i.id = b.invoice_id
WHERE i.issued_at < b.starts_at
"""

# Who cancels at the very moment of a boundary does so in the period that begins there, also while issuing is stopped
# and the end is still to come; a scheduled end is before it, and a period billed after it has moved what is due.
_AFTER_THE_END = """
SELECT 'billing_period', b.id, format('begins at %s, the subscription ended at %s', b.starts_at,
                                      least(s.cancel_at, s.ended_at))
FROM billing.subscription s
JOIN billing.billing_period b ON b.subscription_id = s.id AND b.disposition = 'billed'
WHERE b.starts_at > s.ended_at
   OR (b.starts_at >= s.cancel_at AND b.cut_at IS DISTINCT FROM b.starts_at
       AND NOT (b.starts_at = s.cancel_at AND s.next_due_at IS NOT DISTINCT FROM s.cancel_at))
"""

# What was missed is billed oldest first, however long nobody billed. Ids of documents are time-ordered, by a clock that
# may be put back; a draft is issued when it is released. So both orders must say it. A document that took another's
# place is newer than its period.
_OUT_OF_TURN = """
SELECT 'billing_period', billed.id,
       format('begins at %s, its document is older than that of the period before', billed.starts_at)
FROM (SELECT b.id, b.starts_at, b.invoice_id,
             lag(b.invoice_id) OVER (PARTITION BY b.subscription_id, b.anchor_no ORDER BY b.period_no) AS before
      FROM billing.billing_period b WHERE b.disposition = 'billed') billed
JOIN billing.invoice i ON i.id = billed.invoice_id
JOIN billing.invoice earlier ON earlier.id = billed.before
WHERE billed.invoice_id < billed.before AND earlier.corrects_id IS NULL
  AND coalesce((i.issued_at, i.series_no) < (earlier.issued_at, earlier.series_no), true)
"""

_NEXT_DUE = f"""
SELECT 'subscription', s.id, format('next due %s, its last period ends at %s', coalesce(s.next_due_at::text, 'never'),
                                    last.ends_at)
FROM billing.subscription s
JOIN ({_LAST}) last ON last.subscription_id = s.id
WHERE s.status NOT IN ('canceled', 'incomplete', 'incomplete_expired')
  AND s.next_due_at IS DISTINCT FROM least(last.ends_at, s.cancel_at)
"""  # noqa: S608 (our own text)

_OVERDUE = f"""
SELECT 'subscription', s.id, format('%s, due since %s', s.status, coalesce(s.next_due_at::text, 'never'))
FROM billing.subscription s
WHERE s.status NOT IN ('canceled', 'incomplete', 'incomplete_expired')
  AND (s.next_due_at IS NULL OR s.next_due_at <= :due_before)
  AND NOT {EXCUSED}
"""  # noqa: S608 (our own text)

_PERIODS = "SELECT count(*) FROM billing.billing_period"
_SUBSCRIPTIONS = "SELECT count(*) FROM billing.subscription"

RENEWALS = (
    Invariant(
        code="R1",
        meaning="A subscription's periods follow its anchor without gap or overlap; each is billed or recorded once.",
        counted=_PERIODS,
        checks=(misplaced_periods, never_begun, charged_twice, finds(_NOT_ON_ITS_DOCUMENT), finds(_MISSING)),
    ),
    Invariant(
        code="R2",
        meaning="No period was billed before it began.",
        counted=_PERIODS,
        checks=(finds(_EARLY),),
    ),
    Invariant(
        code="R3",
        meaning="No billed period begins after the subscription's end, or at its scheduled end.",
        counted=_PERIODS,
        checks=(finds(_AFTER_THE_END),),
    ),
    Invariant(
        code="R5",
        meaning="After an interruption, what was missed was billed oldest first.",
        counted="SELECT count(*) FROM billing.billing_period WHERE disposition = 'billed'",
        checks=(finds(_OUT_OF_TURN),),
    ),
    Invariant(
        code="R6",
        meaning="Each subscription is next due where its last period ends, and none is overdue.",
        counted=_SUBSCRIPTIONS,
        checks=(finds(_NEXT_DUE), finds(_OVERDUE)),
    ),
)
