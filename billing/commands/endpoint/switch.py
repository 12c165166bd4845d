"""Switch an endpoint off, and on again; on, it gets what happened meanwhile."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.delivery.hand_over import hold_handing_over
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.kernel.moves import require_move
from billing.kernel.status import EndpointStatus
from billing.kernel.work import WorkKind
from billing.models import Endpoint
from billing.queries.endpoint import HEARS, lock_endpoint

_MISSED = text(
    f"""
    INSERT INTO billing.delivery (endpoint_id, outbox_id, seller_id, object_id)
    SELECT e.id, o.id, o.seller_id, o.object_id
    FROM billing.endpoint e JOIN billing.outbox o ON o.seller_id = e.seller_id
    WHERE e.id = :endpoint AND o.delivered_at >= e.off_at AND o.created_at >= e.created_at AND {HEARS}
    ORDER BY o.id
    ON CONFLICT DO NOTHING
    """  # noqa: S608 (our own words)
)


def switch_off(session: Session, *, endpoint: Endpoint, reason: str, now: datetime | None = None) -> None:
    """Nothing is handed over for it any more, and what waits stays. With `now` (business time) it is work for a person,
    and its owner is told by mail.

    Raises `Refused` (`endpoint_move_not_allowed`) where it is off.
    """
    hold_handing_over(session)
    require_move(EndpointStatus(endpoint.status), EndpointStatus.OFF)
    wall = wall_now(session)
    endpoint.status, endpoint.off_at, endpoint.off_reason = EndpointStatus.OFF, wall, reason
    endpoint.tell_owner_at = wall if now is not None and endpoint.contact is not None else None
    session.flush()
    if now is not None:
        raise_item(
            session,
            kind=WorkKind.ENDPOINT_OFF,
            subject_type="endpoint",
            subject_id=endpoint.id,
            seller_id=endpoint.seller_id,
            summary=f"Endpoint {endpoint.code} took no event for too long and is switched off; what happens waits.",
            error=reason,
            safe_actions=["retry", "park", "discard"],
            now=now,
        )


def switch_on(session: Session, *, endpoint: Endpoint) -> int:
    """It hears again, first of what was handed over meanwhile. Returns how many events that is.

    Reads the whole outbox. Raises `Refused` (`endpoint_move_not_allowed`) where it is on.
    """
    hold_handing_over(session)
    require_move(EndpointStatus(endpoint.status), EndpointStatus.ON)
    missed = session.execute(_MISSED, {"endpoint": endpoint.id})
    endpoint.status, endpoint.off_at, endpoint.off_reason = EndpointStatus.ON, None, None
    endpoint.tell_owner_at = None
    endpoint.streak, endpoint.failing_since, endpoint.paused_until = 0, None, None
    session.flush()
    return int(missed.rowcount)  # type: ignore[attr-defined]


def switch_on_again(session: Session, *, endpoint_id: UUID) -> bool:
    """The same for a work item; False where it is on already."""
    endpoint = lock_endpoint(session, endpoint_id)
    if endpoint.status == EndpointStatus.ON:
        return False
    switch_on(session, endpoint=endpoint)
    return True
