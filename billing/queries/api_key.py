"""Reads of keys of the HTTP API; entering by one counts the request in the same statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import ApiKey
from billing.queries.operations.paging import Page, read_page

_ENTER = text(
    """
    WITH known AS (
        SELECT k.seller_id, k.prefix, k.scopes FROM billing.api_key k
        WHERE k.hash = :hash AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
    ), counted AS (
        INSERT INTO billing.api_use AS u (prefix, minute, requests)
        SELECT prefix, date_trunc('minute', clock_timestamp()), 1 FROM known
        -- A minute may be over while a request waits for its row. One further ahead is of a clock that was put back.
        ON CONFLICT (prefix) DO UPDATE SET
            minute = CASE WHEN u.minute <= excluded.minute + interval '2 minutes'
                     THEN greatest(u.minute, excluded.minute) ELSE excluded.minute END,
            requests = CASE WHEN u.minute BETWEEN excluded.minute AND excluded.minute + interval '2 minutes'
                       THEN u.requests ELSE 0 END + 1
        RETURNING minute, requests
    )
    SELECT known.seller_id, known.prefix, known.scopes, counted.requests,
           ceil(60 - extract(epoch FROM clock_timestamp() - counted.minute))::int AS resets_in_s
    FROM known, counted
    """
)

_LIST = """
SELECT k.id, k.name, k.prefix, s.code AS seller, k.scopes, k.created_at, u.minute AS last_used_at, k.expires_at,
       k.expires_at IS NULL OR k.expires_at > clock_timestamp() AS valid
FROM billing.api_key k JOIN billing.seller s ON s.id = k.seller_id LEFT JOIN billing.api_use u ON u.prefix = k.prefix
WHERE (CAST(:before AS uuid) IS NULL OR k.id < :before)
ORDER BY k.id DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Entered:
    """Whoever asks: for which seller, what they may do, and how often they asked in the running minute."""

    seller_id: UUID
    prefix: str
    scopes: frozenset[str]
    requests: int
    resets_in_s: int


def enter(session: Session, hash_: bytes) -> Entered | None:
    """Who has the key of that hash, counting this request; None where there is no such valid key.

    The count is not worth waiting for a disk: one that a crash forgets lets a few more requests through.
    """
    session.execute(text("SET LOCAL synchronous_commit = off"))
    row = session.execute(_ENTER, {"hash": hash_}).one_or_none()
    if row is None:
        return None
    return Entered(row.seller_id, row.prefix, frozenset(row.scopes), row.requests, max(row.resets_in_s, 0))


def list_keys(session: Session, *, before: UUID | None = None, limit: int = 50) -> Page:
    """Keys, newest first: by prefix, never whole."""
    return read_page(session, _LIST, {"before": before}, limit=limit)


def lock_key(session: Session, prefix: str) -> ApiKey:
    """The key of that prefix, locked. Raises `Refused` (`api_key_not_found`)."""
    found = session.query(ApiKey).filter_by(prefix=prefix).with_for_update(key_share=True).one_or_none()
    if found is None:
        raise Refused(Fault("api_key", "api_key_not_found", "give a prefix of `billing keys list`"))
    return found


def is_valid(key: ApiKey, *, wall: datetime) -> bool:
    """Whether it still opens the door."""
    return key.expires_at is None or key.expires_at > wall
