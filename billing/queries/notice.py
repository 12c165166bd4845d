"""Notices that wait for their mail, with what the mail speaks of; and renewals of which to tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_TAKE = text(
    """
    UPDATE billing.notice
    SET token = token + 1, tries = tries + 1, version = version + 1, updated_at = clock_timestamp(),
        next_try_at = clock_timestamp() + make_interval(secs => :lease_s)
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.notice WHERE status = 'waiting' AND next_try_at <= clock_timestamp()
        ORDER BY next_try_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id
    """
)

_LETTERS = text(
    """
    SELECT n.id, n.token, n.tries, n.kind, n.facts, n.occurred_at, n.profile_id, n.invoice_id, n.subscription_id,
           p.country, p.timezone, p.personal, k.id AS key_id, k.master_id, k.wrapped,
           l.legal_name AS seller, i.status AS invoice_status, i.number AS invoice_number,
           i.kind AS invoice_kind, i.collection, i.amount_remaining_minor,
           s.status AS subscription_status, s.next_due_at, s.cancel_at, m.kind AS method_kind,
           m.brand, m.last4, m.wallet
    FROM billing.notice n
    JOIN billing.profile p ON p.id = n.profile_id
    JOIN billing.seller l ON l.id = n.seller_id
    LEFT JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    LEFT JOIN billing.invoice i ON i.id = n.invoice_id
    LEFT JOIN billing.subscription s ON s.id = n.subscription_id
    LEFT JOIN billing.payment a ON a.id = CAST(n.facts ->> 'payment_id' AS uuid)
    LEFT JOIN billing.payment_method m
        ON m.id = a.payment_method_id OR m.id = CAST(n.facts ->> 'payment_method_id' AS uuid)
        OR (n.kind = 'renewal_upcoming' AND m.profile_id = n.profile_id AND m.is_default)
    WHERE n.id = ANY(:ids)
    ORDER BY n.id
    """
)

_DROP = text(
    """
    UPDATE billing.notice
    SET status = 'dropped', reason = :reason, next_try_at = NULL, closed_at = clock_timestamp(), version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.notice WHERE status = 'waiting' AND next_try_at <= clock_timestamp()
        ORDER BY next_try_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    """
)

_UPCOMING = text(
    """
    SELECT s.id
    FROM billing.subscription s
    JOIN billing.seller l ON l.id = s.seller_id
    WHERE l.upcoming_days > 0 AND s.hold_id IS NULL AND s.status IN ('active', 'trialing')
      AND s.collection = 'automatic' AND s.cancel_at IS NULL AND s.paused_at IS NULL
      AND s.next_due_at > :now + make_interval(days => l.upcoming_days) - interval '2 days'
      AND s.next_due_at <= :now + make_interval(days => l.upcoming_days)
      AND s.next_due_at > :now
      -- What comes round as fast as the notice runs ahead is no news.
      AND s.next_due_at - coalesce(s.current_period_start, s.started_at) > 2 * make_interval(days => l.upcoming_days)
      AND NOT EXISTS (
        SELECT FROM billing.notice n
        WHERE n.kind = 'renewal_upcoming' AND n.occasion = s.id::text || ':' || s.anchor_no || ':' || s.next_period_no)
    ORDER BY s.next_due_at, s.id
    LIMIT :most
    """
)


def take_notices(session: Session, *, lease_s: float, most: int) -> Sequence[Row[Any]]:
    """Claim waiting notices by a new token and a lease (wall seconds), with what their letters need, sealed."""
    ids = list(session.execute(_TAKE, {"lease_s": lease_s, "most": most}).scalars())
    return session.execute(_LETTERS, {"ids": ids}).all() if ids else []


def drop_waiting(session: Session, *, reason: str, most: int) -> int:
    """End waiting notices unsent, in one statement. Returns their number."""
    done = session.execute(_DROP, {"reason": reason, "most": most})
    return int(done.rowcount)  # type: ignore[attr-defined]


def renewals_to_announce(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Subscriptions whose renewal lies their seller's number of days ahead, and of whose period nothing was told.

    Looks back two days: who was away for longer announces later. Reads the index on due moments.
    """
    return list(session.execute(_UPCOMING, {"now": now, "most": most}).scalars())
