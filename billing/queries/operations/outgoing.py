"""One domain event with every delivery and every try of one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.queries.operations.paging import Facts, read_all

_ONE = """
SELECT o.id, o.topic, s.code AS seller, o.object_type, o.object_id, o.occurred_at, o.delivered_at AS handed_over_at,
       o.payload
FROM billing.outbox o JOIN billing.seller s ON s.id = o.seller_id WHERE o.id = :id
"""

_DELIVERIES = """
SELECT e.id AS endpoint_id, e.code AS endpoint, d.status, d.tries, d.next_try_at, d.first_try_at, d.closed_at
FROM billing.endpoint e JOIN billing.delivery d ON d.endpoint_id = e.id AND d.outbox_id = :id ORDER BY e.code
"""

_TRIES = """
SELECT e.code AS endpoint, a.created_at AS tried_at, a.outcome, a.duration_ms
FROM billing.endpoint e JOIN billing.delivery_attempt a ON a.endpoint_id = e.id AND a.outbox_id = :id
ORDER BY a.created_at
"""


def show_outgoing(session: Session, event_id: UUID) -> Facts:
    """Raises `Refused` (`event_not_found`)."""
    found = read_all(session, _ONE, {"id": event_id})
    if not found:
        raise Refused(Fault("event", "event_not_found", "it may have been purged"))
    values = {"id": event_id}
    return found[0] | {
        "deliveries": read_all(session, _DELIVERIES, values),
        "tries": read_all(session, _TRIES, values),
    }
