"""Charged: each item of a subscription stands on the document of its period, and what was used on exactly one.

Items and usage are found by their unique index and by `ix_usage_record_counts`; what was used before the running
period is held against all usage lines once, in an audit of everything. An item that stands was there since its row was
made, and in this quantity since it was last written: every period from then on is held against it. Quantities before a
change are not kept: of those, and of items that went, each line is held against its price, each period against its
document; and each was held against its items while it was the newest, by the audit of what changed.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.prices import AS_PRICED

# Of every period that a document bills that nobody edited: what its customer had then is on it, and in this quantity
# where the item was not written since.
_NOT_CHARGED = """
SELECT 'subscription', s.id, format('%s of price %s from %s: %s charges %s', it.quantity, p.code, b.starts_at, i.number,
                                    coalesce(l.quantity::text, 'none'))
FROM billing.billing_period b
JOIN billing.subscription s ON s.id = b.subscription_id
JOIN billing.invoice i ON i.id = b.invoice_id AND i.kind = 'invoice' AND i.corrects_id IS NULL
JOIN billing.subscription_item it
  ON it.subscription_id = s.id AND it.counts_from <= b.starts_at AND it.created_at < i.created_at
JOIN billing.price p ON p.id = it.price_id AND p.usage IS NULL
LEFT JOIN billing.invoice_line l
  ON l.invoice_id = i.id AND l.kind = 'recurring' AND l.price_id = it.price_id
     AND l.period_start = b.starts_at AND l.period_end = b.ends_at
WHERE (l.id IS NULL OR it.updated_at < i.created_at AND l.quantity <> it.quantity)
  AND NOT EXISTS (SELECT FROM billing.audit_trail a WHERE a.subject_id = i.id AND a.action LIKE 'draft.%')
"""

# What is stamped in a pause is never billed.
_IN_A_PAUSE = """
EXISTS (SELECT FROM billing.subscription_pause z WHERE z.subscription_id = r.subscription_id
        AND r.used_at >= z.starts_at AND (z.ends_at IS NULL OR r.used_at < z.ends_at))
"""

# A record of `max` or `last` that came too late counts nowhere. A line says from when on usage counts, if not from the
# start of its period. Older lines didn't, and are excused where a price went and came again within a period: it has two
# of them, the later of which bears the whole of it.
_ANOTHER_QUANTITY = f"""
SELECT 'invoice', i.id, format('line %s charges %s, %s were used', l.position, l.quantity, coalesce(u.used, 0))
FROM billing.invoice_line l
JOIN billing.invoice i ON i.id = l.invoice_id AND i.kind = 'invoice' AND i.status NOT IN ('void', 'expired')
JOIN billing.price p ON p.id = l.price_id
LEFT JOIN LATERAL (
    SELECT CASE p.usage WHEN 'sum' THEN sum(r.quantity) WHEN 'max' THEN max(r.quantity)
           ELSE (array_agg(r.quantity ORDER BY r.used_at DESC, r.id DESC))[1] END AS used
    FROM billing.usage_record r
    WHERE r.subscription_id = i.subscription_id AND r.price_id = l.price_id
      AND r.counts_at >= coalesce((l.how ->> 'counts_from')::timestamptz, l.period_start)
      AND r.counts_at < l.period_end AND NOT {_IN_A_PAUSE}) u ON true
WHERE l.kind = 'usage' AND l.quantity <> coalesce(u.used, 0)
  AND (l.quantity > coalesce(u.used, 0) OR l.how ? 'counts_from' OR NOT EXISTS (
      SELECT FROM billing.invoice_line o JOIN billing.invoice j ON j.id = o.invoice_id
      WHERE j.subscription_id = i.subscription_id AND o.kind = 'usage' AND o.price_id = l.price_id AND o.id <> l.id
        AND o.period_start < l.period_end AND o.period_end > l.period_start))
"""  # noqa: S608 (our own text)

# The lines of a price that went and came again within a period share what was used in it.
_CHARGED_TWICE = f"""
SELECT 'subscription', g.subscription_id, format('lines of price %s from %s charge %s, %s were used', g.code,
                                                 g.period_start, g.charged, coalesce(u.used, 0))
FROM (SELECT i.subscription_id, l.price_id, p.code, l.period_start, max(l.period_end) AS period_end,
             sum(l.quantity) AS charged
      FROM billing.invoice_line l
      JOIN billing.invoice i ON i.id = l.invoice_id AND i.kind = 'invoice'
                            AND i.status NOT IN ('void', 'expired', 'replaced')
      JOIN billing.price p ON p.id = l.price_id AND p.usage = 'sum'
      WHERE l.kind = 'usage'
      GROUP BY i.subscription_id, l.price_id, p.code, l.period_start
      HAVING count(*) > 1) g
LEFT JOIN LATERAL (
    SELECT sum(r.quantity) AS used FROM billing.usage_record r
    WHERE r.subscription_id = g.subscription_id AND r.price_id = g.price_id
      AND r.counts_at >= g.period_start AND r.counts_at < g.period_end AND NOT {_IN_A_PAUSE}) u ON true
WHERE g.charged > coalesce(u.used, 0)
"""  # noqa: S608 (our own text)

# What was used while there was no such item is charged nowhere: before it came, or from the moment on at which it went.
# A period that closed in a pause without any use is on no document either: of `last` the latest record says that. What
# a draft's review took off stands in the trail, line by line.
_NEVER_CHARGED = f"""
SELECT 'subscription', u.subscription_id, format('%s of price %s, used before %s, stand on no document', u.used, u.code,
                                                 u.closed_at)
FROM (
    SELECT r.subscription_id, p.code, b.closed_at, sum(r.quantity) AS used
    FROM (SELECT s.id, s.paid_through,
                 CASE WHEN s.ended_at IS NULL THEN max(b.starts_at)
                      WHEN s.next_due_at IS NULL THEN s.ended_at END AS closed_at
          FROM billing.subscription s
          JOIN billing.billing_period b ON b.subscription_id = s.id AND b.disposition = 'billed'
          WHERE s.status NOT IN ('incomplete', 'incomplete_expired')
          GROUP BY s.id, s.paid_through, s.ended_at, s.next_due_at) b
    JOIN billing.usage_record r ON r.subscription_id = b.id AND r.counts_at < b.closed_at AND r.quantity > 0
    JOIN billing.price p ON p.id = r.price_id
    WHERE (b.paid_through IS NULL OR r.counts_at >= b.paid_through) AND NOT {_IN_A_PAUSE}
      AND (EXISTS (SELECT FROM billing.subscription_item it
                   WHERE it.subscription_id = r.subscription_id AND it.price_id = r.price_id
                     AND it.counts_from <= r.counts_at)
           OR EXISTS (SELECT FROM billing.past_item it
                      WHERE it.subscription_id = r.subscription_id AND it.price_id = r.price_id
                        AND it.counts_from <= r.counts_at AND it.ended_at > r.counts_at))
      AND NOT EXISTS (
          SELECT FROM billing.invoice_line l JOIN billing.invoice i ON i.id = l.invoice_id
          WHERE i.subscription_id = r.subscription_id AND l.kind = 'usage' AND l.price_id = r.price_id
            AND coalesce((l.how ->> 'counts_from')::timestamptz, l.period_start) <= r.counts_at
            AND l.period_end > r.counts_at)
      AND NOT EXISTS (
          SELECT FROM billing.waiting_line w
          WHERE w.subscription_id = r.subscription_id AND w.kind = 'usage' AND w.price_id = r.price_id
            AND w.counts_from <= r.counts_at AND w.period_end > r.counts_at)
      AND NOT EXISTS (
          SELECT FROM billing.audit_trail a JOIN billing.invoice i ON i.id = a.subject_id
          WHERE a.action = 'draft.remove_line' AND i.subscription_id = r.subscription_id
            AND a.before -> 'line' ->> 'kind' = 'usage' AND a.before -> 'line' ->> 'price_id' = r.price_id::text
            AND (a.before -> 'line' ->> 'counts_from')::timestamptz <= r.counts_at
            AND (a.before -> 'line' ->> 'period_end')::timestamptz > r.counts_at)
      AND NOT (p.usage = 'last' AND EXISTS (
          SELECT FROM billing.billing_period o
          JOIN billing.usage_record z ON z.subscription_id = r.subscription_id AND z.price_id = r.price_id
            AND z.counts_at < o.ends_at AND (z.used_at, z.id) > (r.used_at, r.id) AND z.quantity = 0
          WHERE o.subscription_id = r.subscription_id AND o.starts_at <= r.counts_at AND o.ends_at > r.counts_at))
    GROUP BY r.subscription_id, p.code, b.closed_at) u
"""  # noqa: S608 (our own text)

CHARGED = Invariant(
    code="R4",
    meaning="Each line charges what its price says, each item stands on its period's document, what was used on one.",
    counted="SELECT count(*) FROM billing.invoice_line WHERE kind IN ('recurring', 'usage')",
    checks=(
        *AS_PRICED,
        finds(_NOT_CHARGED),
        finds(_ANOTHER_QUANTITY),
        finds(_CHARGED_TWICE),
        finds(_NEVER_CHARGED, only_whole=True),
    ),
)
