"""Outbox: what happened was told once, and what was told happened, in an order in which it can have happened.

The outbox is read in the order of its key; documents and subscriptions are joined by hashing.
"""

from __future__ import annotations

from enum import StrEnum

from billing.events.topics import Topic
from billing.kernel.moves import moves_from
from billing.kernel.status import InvoiceStatus, SubscriptionStatus
from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.moves import TOLD_MOVES
from billing.queries.audit.outbound import EVERYBODY_HEARS

_ONCE = ", ".join(
    f"'{topic}'"
    for topic in (
        Topic.INVOICE_ISSUED,
        Topic.CREDIT_NOTE_ISSUED,
        Topic.INVOICE_VOIDED,
        Topic.PAYMENT_SUCCEEDED,
        Topic.SUBSCRIPTION_CREATED,
        Topic.SUBSCRIPTION_CANCELED,
    )
)

_TOLD_TWICE = f"""
SELECT 'outbox', min(id::text), format('%s of %s %s was told %s times', topic, object_type, object_id, count(*))
FROM billing.outbox WHERE topic IN ({_ONCE})
GROUP BY topic, object_type, object_id HAVING count(*) > 1
"""  # noqa: S608 (our own names)

# What was handed over is forgotten after a time: only what came after the oldest row kept can be missed. Where
# something may have been forgotten, or only what is recent is looked at, the first minutes are left out, whose event
# may have been written before them in the same transaction.
_UNTOLD = """
SELECT 'invoice', i.id, format('%s was issued, and nobody was told', i.number)
FROM billing.invoice i
LEFT JOIN billing.outbox o
  ON o.object_id = i.id AND o.topic IN ('invoice.issued', 'credit_note.issued')
WHERE i.number IS NOT NULL AND o.id IS NULL
  AND i.created_at > coalesce(CAST(:since AS timestamptz) + interval '2 minutes',
                              (SELECT created_at + CASE WHEN created_at < clock_timestamp() - interval '1 day'
                                                   THEN interval '2 minutes' ELSE interval '0' END
                               FROM billing.outbox ORDER BY id LIMIT 1))
"""

_TAKEN_BACK = """
SELECT 'invoice', i.id, format('%s was told to be %s, it is %s', i.number, o.topic, i.status)
FROM billing.outbox o
JOIN billing.invoice i ON i.id = o.object_id
WHERE CASE o.topic WHEN 'invoice.paid' THEN i.status NOT IN ('paid', 'replaced')
                   WHEN 'invoice.voided' THEN i.status <> 'void'
                   WHEN 'invoice.uncollectible' THEN i.status NOT IN ('uncollectible', 'paid', 'replaced')
                   ELSE false END
UNION ALL
SELECT 'payment', p.id, format('was told to have succeeded, it is %s', p.status)
FROM billing.outbox o
JOIN billing.payment p ON p.id = o.object_id
WHERE o.topic = 'payment.succeeded' AND p.status <> 'succeeded'
UNION ALL
SELECT 'subscription', s.id, format('%s was told to be over, it is %s', s.code, s.status)
FROM billing.outbox o
JOIN billing.subscription s ON s.id = o.object_id
WHERE CASE o.topic WHEN 'subscription.canceled' THEN s.status <> 'canceled'
                   WHEN 'subscription.expired' THEN s.status <> 'incomplete_expired' ELSE false END
"""

_MEANS: dict[Topic, StrEnum] = {
    Topic.INVOICE_DRAFTED: InvoiceStatus.DRAFT,
    Topic.INVOICE_ISSUED: InvoiceStatus.OPEN,
    Topic.INVOICE_PAID: InvoiceStatus.PAID,
    Topic.INVOICE_VOIDED: InvoiceStatus.VOID,
    Topic.INVOICE_UNCOLLECTIBLE: InvoiceStatus.UNCOLLECTIBLE,
    Topic.SUBSCRIPTION_ACTIVE: SubscriptionStatus.ACTIVE,
    Topic.SUBSCRIPTION_PAST_DUE: SubscriptionStatus.PAST_DUE,
    Topic.SUBSCRIPTION_UNPAID: SubscriptionStatus.UNPAID,
    Topic.SUBSCRIPTION_CANCELED: SubscriptionStatus.CANCELED,
    Topic.SUBSCRIPTION_EXPIRED: SubscriptionStatus.INCOMPLETE_EXPIRED,
}
"""The state that each of these tells of. Not every move is told, so states between two of them may be missing."""


def _reachable(start: StrEnum) -> set[StrEnum]:
    found: set[StrEnum] = {start}
    left = [start]
    while left:
        for state in moves_from(left.pop()) - found:
            found.add(state)
            left.append(state)
    return found


_NEVER = ", ".join(
    f"('{before}', '{after}')"
    for before, first in _MEANS.items()
    for after, second in _MEANS.items()
    if type(first) is type(second) and second not in _reachable(first)
)

_NO_SUCH_MOVE = f"""
SELECT object_type, object_id, format('%s was told after %s', topic, before)
FROM (SELECT object_type, object_id, topic, lag(topic) OVER (PARTITION BY object_id ORDER BY id) AS before
      FROM billing.outbox WHERE topic IN ({", ".join(f"'{topic}'" for topic in _MEANS)})) told
WHERE (before, topic) IN ({_NEVER})
"""  # noqa: S608 (our own names)

_TOLD = "SELECT count(*) FROM billing.outbox"

TOLD_ONCE = Invariant(
    code="J1",
    meaning="Each thing that happens once was told once, every issued document was told of, and to all who hear of it.",
    counted=_TOLD,
    checks=(finds(_TOLD_TWICE), finds(_UNTOLD), *EVERYBODY_HEARS),
)

NOT_TAKEN_BACK = Invariant(
    code="E7",
    meaning="What was told as final is still so.",
    counted=_TOLD,
    checks=(finds(_TAKEN_BACK),),
)

ONLY_ALLOWED_MOVES = Invariant(
    code="J8",
    meaning="Nothing was told to be in a state that can't follow the one before.",
    counted=_TOLD,
    checks=(finds(_NO_SUCH_MOVE), *TOLD_MOVES),
)
