"""Endpoints: one by its id, and those at which something is due."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import EndpointStatus
from billing.models import Endpoint

HEARS = """
    (e.topics = '{}' OR o.topic = ANY(e.topics) OR split_part(o.topic, '.', 1) || '.*' = ANY(e.topics))
"""
"""An SQL condition: endpoint `e` hears of event `o`."""

_DUE = text(
    """
    SELECT e.id FROM billing.endpoint e
    WHERE e.status = 'on' AND (e.paused_until IS NULL OR e.paused_until <= clock_timestamp()) AND EXISTS (
        SELECT FROM billing.delivery d
        WHERE d.endpoint_id = e.id AND d.status = 'waiting' AND d.next_try_at <= clock_timestamp())
    ORDER BY e.id
    """
)


def lock_endpoint(session: Session, endpoint_id: UUID) -> Endpoint:
    """The row, locked and as it is now. Raises `Refused` (`endpoint_not_found`)."""
    endpoint = session.get(Endpoint, endpoint_id, with_for_update={"key_share": True}, populate_existing=True)
    if endpoint is None:
        raise Refused(Fault("endpoint", "endpoint_not_found", "give an id of `billing endpoints list`"))
    return endpoint


def endpoints_due(session: Session) -> list[UUID]:
    """Endpoints that may be tried now and have something due."""
    return list(session.execute(_DUE).scalars())


def endpoint_to_try(session: Session, endpoint_id: UUID) -> Endpoint | None:
    """The endpoint, if it is on and no pause holds it."""
    unpaused = or_(Endpoint.paused_until.is_(None), Endpoint.paused_until <= func.clock_timestamp())
    query = select(Endpoint).where(Endpoint.id == endpoint_id, Endpoint.status == EndpointStatus.ON, unpaused)
    return session.scalars(query).one_or_none()
