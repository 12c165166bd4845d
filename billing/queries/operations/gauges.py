"""What is measured at every scrape: each gauge in one statement that reads an index, however much there is."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.kernel.ids import lowest_id_at
from billing.kernel.status import OPEN_PAYMENT
from billing.queries.dispute import undisputed
from billing.queries.operations.paging import Facts, read_all

RECENT = timedelta(minutes=5)
"""Attempts are counted that were opened so long ago at most (wall time)."""
MOST_EVENTS = 10_000
"""So many waiting events are looked at, those whose try comes first."""

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))
_FREE = "NOT EXISTS (SELECT FROM billing.profile p WHERE p.id = {row}.profile_id AND p.hold_id IS NOT NULL)"

# What a brake stops is late all the same: who looks at it is told of the brake beside it.
_DUE = f"""
SELECT
    (SELECT s.next_due_at FROM billing.subscription s
     WHERE s.next_due_at IS NOT NULL AND s.next_due_at <= :now AND s.hold_id IS NULL AND {_FREE.format(row="s")}
     ORDER BY s.next_due_at LIMIT 1) AS renewals,
    (SELECT min(due.next_attempt_at) FROM (VALUES ('draft'), ('open')) AS kind(status) CROSS JOIN LATERAL (
        SELECT i.next_attempt_at FROM billing.invoice i
        WHERE i.status = kind.status AND i.status IN ('draft', 'open') AND i.hold_id IS NULL
          AND i.next_attempt_at IS NOT NULL AND i.next_attempt_at <= :now AND {_FREE.format(row="i")}
          AND {undisputed("i")}
        ORDER BY i.next_attempt_at LIMIT 1) AS due) AS charges
"""  # noqa: S608 (our own words)

_EVENTS = """
SELECT count(*) AS waiting, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS age_s
FROM (SELECT created_at FROM billing.provider_event WHERE next_try_at IS NOT NULL
      ORDER BY next_try_at LIMIT :most) AS waiting
"""

_ATTEMPTS = "SELECT status, count(*) AS attempts FROM billing.payment WHERE id >= :since GROUP BY status"

_UNKNOWN = f"""
SELECT count(*) AS attempts, extract(epoch FROM CAST(:now AS timestamptz) - min(first_sent_at))::float8 AS age_s
FROM billing.payment WHERE status = 'unknown' AND status IN ({_OPEN})
"""  # noqa: S608

_OUTBOX = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
           (SELECT created_at FROM billing.outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 1),
           (SELECT min(first.created_at) FROM billing.endpoint e CROSS JOIN LATERAL (
                SELECT d.created_at FROM billing.delivery d WHERE d.endpoint_id = e.id AND d.status = 'waiting'
                ORDER BY d.created_at LIMIT 1) AS first
            WHERE e.status = 'on'))), 0)::float8 AS age_s
"""

_LINES = """
SELECT a.provider, a.code, (r.open_until IS NOT NULL) AS tripped, coalesce(r.throttled, 0) AS throttled
FROM billing.provider_account a
LEFT JOIN billing.provider_rate r ON r.provider_account_id = a.id AND r.endpoint = ''
ORDER BY a.provider, a.code
"""


def due_lags(session: Session, *, now: datetime) -> dict[str, float]:
    """Business seconds since what is longest due was due, of `renewals` and `charges`; 0 where nothing is.

    Of what may be worked on: not on hold, no customer on hold, no dispute that stops charging.
    """
    (row,) = read_all(session, _DUE, {"now": now})
    return {work: (now - at).total_seconds() if at else 0.0 for work, at in row.items()}


def waiting_events(session: Session) -> Facts:
    """`waiting`: events to be handled, counted up to `MOST_EVENTS`; `age_s`: of the oldest of them, in wall seconds."""
    return read_all(session, _EVENTS, {"most": MOST_EVENTS})[0]


def recent_attempts(session: Session) -> dict[str, int]:
    """Attempts opened in the last five minutes, by the state that they are in now."""
    since = lowest_id_at(wall_now(session) - RECENT)
    return {row["status"]: row["attempts"] for row in read_all(session, _ATTEMPTS, {"since": since})}


def unknown_attempts(session: Session, *, now: datetime) -> Facts:
    """`attempts` whose outcome nobody knows; `age_s` of the oldest since it was first sent, in business seconds."""
    return read_all(session, _UNKNOWN, {"now": now})[0]


def outbox_lag(session: Session) -> float:
    """Wall seconds since the oldest domain event that waits: to be handed over, or for an endpoint that is on; or 0."""
    return float(read_all(session, _OUTBOX, {})[0]["age_s"])


def provider_lines(session: Session) -> list[Facts]:
    """Each provider account: whether its breaker is open, and how many calls were answered 429 so far."""
    return read_all(session, _LINES, {})
