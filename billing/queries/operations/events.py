"""Provider events as operators see them: what arrived, what became of it. The body stays sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.queries.operations.paging import Facts, Page, newest, read_all, read_page, read_window

_COLUMNS = """
e.id, e.event_ref, e.type, e.object_type, e.object_ref, e.status, e.tries, e.next_try_at, e.error, e.occurred_at,
e.created_at AS received_at, e.handled_at
"""

_LIST = """
SELECT {columns} FROM {source} e
WHERE (CAST(:status AS text) IS NULL OR e.status = :status)
  AND (CAST(:type AS text) IS NULL OR e.type = :type)
  AND (CAST(:since AS timestamptz) IS NULL OR e.occurred_at >= :since)
  AND (CAST(:object AS text) IS NULL OR e.object_ref = :object)
  AND (CAST(:before AS uuid) IS NULL OR e.id < :before)
ORDER BY e.id DESC LIMIT :limit
"""
_INDEXED = ("dead",)
"""States that an index knows: others are most events, or few and soon over."""

_ONE = f"""
SELECT {_COLUMNS}, a.provider, a.code AS provider_account, e.livemode, e.secret_index, e.body IS NOT NULL AS has_body,
       e.lease_until, e.token, e.version
FROM billing.provider_event e JOIN billing.provider_account a ON a.id = e.provider_account_id
WHERE e.id = :id
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events."""

    status: str | None = None
    type: str | None = None
    since: datetime | None = None
    """Created by the provider at or after this instant."""
    object_ref: str | None = None
    """The provider's id of the object that the event tells of."""


def list_events(session: Session, wanted: EventFilter, *, before: UUID | None = None, limit: int = 50) -> Page:
    """Events that the filter lets through, last received first."""
    values = {
        "status": wanted.status,
        "type": wanted.type,
        "since": wanted.since,
        "object": wanted.object_ref,
        "before": before,
    }
    # By object, or by none of these, an index finds them; all others are looked for in a window.
    known = wanted.object_ref or wanted.status in _INDEXED or not (wanted.status or wanted.type or wanted.since)
    if known:
        return read_page(session, _LIST.format(columns=_COLUMNS, source="billing.provider_event"), values, limit=limit)
    statement = _LIST.format(columns=_COLUMNS, source=newest("provider_event"))
    return read_window(session, statement, values, table="provider_event", limit=limit)


def show_event(session: Session, event_id: UUID) -> Facts:
    """One event without its body. Raises `Refused` (`event_not_found`)."""
    found = read_all(session, _ONE, {"id": event_id})
    if not found:
        raise Refused(Fault("event", "event_not_found", "give an id of `billing events list`"))
    return found[0]
