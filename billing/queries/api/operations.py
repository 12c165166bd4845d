"""Work items, events and endpoints as the API shows them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by, page_by_id
from billing.queries.operations.paging import Facts, read_all

_WORK = """
SELECT w.id, w.kind, w.status, w.summary, w.subject_type, w.subject_id, w.profile_id, w.amount_minor, w.currency,
       w.error, w.findings, w.tries, w.next_try_at, w.safe_actions, w.seen_at, w.closed_at, w.version
FROM billing.work_item w
"""
_WORK_PAGE = """
WHERE w.seller_id = :seller AND w.status = :status AND (CAST(:after AS uuid) IS NULL OR w.id < :after)
ORDER BY w.id DESC LIMIT :limit
"""
_EVENT = """
SELECT o.id, o.topic, o.object_type, o.object_id, o.occurred_at, o.payload AS data FROM billing.outbox o
"""
_EVENT_PAGE = """
WHERE o.seller_id = :seller AND (CAST(:after AS uuid) IS NULL OR o.id < :after) ORDER BY o.id DESC LIMIT :limit
"""
_ENDPOINT = """
SELECT e.id, e.code, e.target, e.topics, e.document_links, e.status, e.off_reason, e.delivered_at, e.created_at,
       e.version
FROM billing.endpoint e
"""
_ENDPOINT_PAGE = """
WHERE e.seller_id = :seller AND (CAST(:after AS text) IS NULL OR e.code > :after) ORDER BY e.code LIMIT :limit
"""


# By the key, from its end.
_DELIVERIES = """
SELECT d.outbox_id AS id, d.outbox_id AS event_id, o.topic, d.status, d.tries, d.next_try_at, d.closed_at,
       (SELECT a.outcome FROM billing.delivery_attempt a
        WHERE a.endpoint_id = d.endpoint_id AND a.outbox_id = d.outbox_id ORDER BY a.token DESC LIMIT 1) AS outcome
FROM billing.delivery d LEFT JOIN billing.outbox o ON o.id = d.outbox_id AND o.seller_id = d.seller_id
WHERE d.endpoint_id = :endpoint AND d.seller_id = :seller AND (CAST(:after AS uuid) IS NULL OR d.outbox_id < :after)
ORDER BY d.outbox_id DESC LIMIT :limit
"""


def the_work_item(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_WORK} WHERE w.id = :id AND w.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def work_items(session: Session, seller_id: UUID, *, status: str, after: str | None, limit: int) -> Slice:
    """A page of them, newest first."""
    values = {"seller": seller_id, "status": status}
    return page_by_id(session, f"{_WORK} {_WORK_PAGE}", values, after=after, limit=limit)


def the_event(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_EVENT} WHERE o.id = :id AND o.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def events(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them, newest first."""
    return page_by_id(session, f"{_EVENT} {_EVENT_PAGE}", {"seller": seller_id}, after=after, limit=limit)


def the_endpoint(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_ENDPOINT} WHERE e.id = :id AND e.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def endpoints(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them, in the order of their codes."""
    statement = f"{_ENDPOINT} {_ENDPOINT_PAGE}"
    return page_by(session, statement, {"seller": seller_id}, after=after, limit=limit, by="code")


def deliveries(session: Session, seller_id: UUID, *, endpoint_id: UUID, after: str | None, limit: int) -> Slice:
    """A page of an endpoint's, newest first. `topic` is null once the event itself is purged."""
    values = {"seller": seller_id, "endpoint": endpoint_id}
    return page_by_id(session, _DELIVERIES, values, after=after, limit=limit)
