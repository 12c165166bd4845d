"""Endpoints as operators see them: how they do, what waits for them, their last tries. Secrets stay sealed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.queries.operations.paging import Facts, Page, read_all, read_page

MOST = 100_000
"""Deliveries of one endpoint are counted up to so many: one that is off for weeks may have millions that wait."""

_COLUMNS = f"""
e.id, e.code AS endpoint, e.target, e.status, e.off_at, e.off_reason, e.streak, e.failing_since, e.delivered_at,
(SELECT count(*) FROM (SELECT FROM billing.delivery d WHERE d.endpoint_id = e.id AND d.status = 'waiting'
                       LIMIT {MOST}) AS counted) AS waiting,
(SELECT count(*) FROM (SELECT FROM billing.delivery d WHERE d.endpoint_id = e.id AND d.status = 'dead'
                       LIMIT {MOST}) AS counted) AS dead
"""  # noqa: S608 (our own number)

_LIST = f"""
SELECT {_COLUMNS} FROM billing.endpoint e
WHERE (CAST(:before AS uuid) IS NULL OR e.id < :before)
ORDER BY e.id DESC LIMIT :limit
"""  # noqa: S608 (our own words)

_ONE = f"""
SELECT {_COLUMNS}, s.code AS seller, e.topics, e.document_links, e.paused_until,
       e.former_until AS former_secret_until, e.created_at,
       (SELECT d.created_at FROM billing.delivery d WHERE d.endpoint_id = e.id AND d.status = 'waiting'
        ORDER BY d.created_at LIMIT 1) AS oldest_waiting_since
FROM billing.endpoint e JOIN billing.seller s ON s.id = e.seller_id
WHERE e.id = :id
"""  # noqa: S608 (our own words)

_DELIVERIES = """
SELECT d.outbox_id AS event, o.topic, d.status, d.tries, d.next_try_at, d.closed_at,
       (SELECT a.outcome FROM billing.delivery_attempt a
        WHERE a.endpoint_id = d.endpoint_id AND a.outbox_id = d.outbox_id ORDER BY a.token DESC LIMIT 1) AS outcome
FROM billing.delivery d JOIN billing.outbox o ON o.id = d.outbox_id
WHERE d.endpoint_id = :id ORDER BY d.outbox_id DESC LIMIT :limit
"""


_ATTEMPTS = """
SELECT a.created_at AS tried_at, a.outcome, a.duration_ms FROM billing.delivery_attempt a
WHERE a.endpoint_id = :id AND a.outbox_id = :event ORDER BY a.token
"""


def list_endpoints(session: Session, *, before: UUID | None = None, limit: int = 50) -> Page:
    """Endpoints, newest first; what waits and what was given up is counted up to `MOST`."""
    return read_page(session, _LIST, {"before": before}, limit=limit)


def show_endpoint(session: Session, endpoint_id: UUID, *, limit: int = 20) -> Facts:
    """One endpoint with its newest deliveries. Raises `Refused` (`endpoint_not_found`)."""
    found = read_all(session, _ONE, {"id": endpoint_id})
    if not found:
        raise Refused(Fault("endpoint", "endpoint_not_found", "give an id of `billing endpoints list`"))
    return found[0] | {"deliveries": read_all(session, _DELIVERIES, {"id": endpoint_id, "limit": limit})}


def show_attempts(session: Session, endpoint_id: UUID, event_id: UUID) -> list[Facts]:
    """Every try of one event at one endpoint, first to last."""
    return read_all(session, _ATTEMPTS, {"id": endpoint_id, "event": event_id})
