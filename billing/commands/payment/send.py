"""Mark attempts as sent, just before the call: lease and token are checked here, in a transaction of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.brakes import BrakeKind, moves
from billing.queries.dispute import undisputed
from billing.queries.same_database import SAME

_MARK = text(
    f"""
    UPDATE billing.payment p
    SET status = CASE WHEN p.status = 'prepared' THEN 'sent' ELSE p.status END,
        first_sent_at = coalesce(p.first_sent_at, :now), version = p.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS int[])) AS held(id, token), billing.invoice i
    WHERE p.id = held.id AND p.token = held.token AND p.lease_until > clock_timestamp()
      AND p.status IN ('prepared', 'unknown') AND i.id = p.invoice_id AND i.status IN ('open', 'draft')
      AND (p.status <> 'prepared' OR i.hold_id IS NULL) AND {SAME}
      AND NOT EXISTS (SELECT FROM billing.profile h WHERE h.id = p.profile_id AND h.hold_id IS NOT NULL)
      AND {moves(BrakeKind.COLLECT, "p")}
      AND (p.kind = 'on_session' OR {undisputed("p")})
    RETURNING p.id
    """  # noqa: S608 (our own words)
)


def mark_sent(session: Session, held: Sequence[tuple[UUID, int]], *, now: datetime) -> set[UUID]:
    """Of (attempt, token) return those that may be sent now: still ours, their invoice still open, nothing stopped.

    The rest is not sent: another worker took it, there is nothing more to collect, its customer is on hold, under a
    brake or in a dispute (unless they pay themselves), or this may be a restored database; `put_back` takes care of
    those. Nor is what was never sent while its invoice is on hold, as where money came for it meanwhile. `now` is
    business time; the first marking fixes the age of the key.
    """
    rows = session.execute(_MARK, {"ids": [id_ for id_, _ in held], "tokens": [token for _, token in held], "now": now})
    return set(rows.scalars())
