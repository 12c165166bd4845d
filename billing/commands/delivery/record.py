"""Record how tries ended: delivered, put off, or given up; and what that says of the endpoint. Each by its token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.commands.endpoint.switch import switch_off
from billing.commands.work_item.raise_item import raise_item
from billing.db.rows import fetch
from billing.delivery.post import GONE, TAKEN
from billing.kernel.status import DeliveryStatus, EndpointStatus
from billing.kernel.work import WorkKind
from billing.queries.endpoint import lock_endpoint
from billing.rules.delivery import GIVEN_UP_AFTER, is_spent


@dataclass(frozen=True, slots=True)
class Tried:
    """One try: which, how it ended, and after how many seconds the next one is due if it failed."""

    outbox_id: UUID
    token: int
    outcome: str
    duration_ms: int
    pause_s: float


# The last try is made when the time is over, and not earlier. The rows are named as an array too: a join alone would be
# free to read all that waits for the endpoint.
_RECORD = """
    WITH tried AS (
        SELECT t.*, d.first_try_at + %(life)s::interval AS ends_at,
               CASE WHEN t.outcome = %(taken)s THEN 'delivered'
                    WHEN statement_timestamp() < d.first_try_at + %(life)s::interval THEN 'waiting'
                    ELSE 'dead' END AS status
        FROM unnest(%(ids)s::uuid[], %(tokens)s::int[], %(outcomes)s::text[], %(took)s::int[], %(pauses)s::float8[])
            AS t (outbox_id, token, outcome, duration_ms, pause_s)
        JOIN billing.delivery d
          ON d.endpoint_id = %(endpoint)s AND d.outbox_id = ANY(%(ids)s::uuid[]) AND d.outbox_id = t.outbox_id
    ), written AS (
        UPDATE billing.delivery d
        SET status = t.status,
            next_try_at = CASE WHEN t.status = 'waiting'
                          THEN least(statement_timestamp() + make_interval(secs => t.pause_s), t.ends_at) END,
            closed_at = CASE WHEN t.status <> 'waiting' THEN statement_timestamp() END,
            version = d.version + 1, updated_at = clock_timestamp()
        FROM tried t
        WHERE d.endpoint_id = %(endpoint)s AND d.outbox_id = ANY(%(ids)s::uuid[]) AND d.outbox_id = t.outbox_id
          AND d.token = t.token AND d.status = 'waiting'
        RETURNING d.outbox_id, d.status, t.token, t.outcome, t.duration_ms
    ), kept AS (
        INSERT INTO billing.delivery_attempt (endpoint_id, outbox_id, token, outcome, duration_ms)
        SELECT %(endpoint)s, outbox_id, token, outcome, duration_ms FROM written
    )
    SELECT outbox_id, status, outcome FROM written
"""

_TOOK = text(
    """
    UPDATE billing.endpoint
    SET streak = 0, failing_since = NULL, paused_until = NULL, delivered_at = clock_timestamp(),
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :endpoint
    """
)

_FAILED = text(
    """
    UPDATE billing.endpoint
    SET streak = streak + 1, failing_since = coalesce(failing_since, clock_timestamp()),
        paused_until = clock_timestamp()
            + make_interval(secs => (CAST(:pauses AS float8[]))[least(streak + 1, :steps)]),
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :endpoint
    RETURNING streak, failing_since, clock_timestamp() AS wall
    """
)


def record_tries(
    session: Session, *, endpoint_id: UUID, tried: Sequence[Tried], pauses_s: Sequence[float], now: datetime
) -> int:
    """Write a round of tries in one statement. Returns how many were ours still: a late one is dropped.

    A round in which all failed lengthens the endpoint's streak and pauses it; one that was taken ends both. What is
    given up, and an endpoint that is switched off, become work items at business time `now`.
    """
    written = fetch(
        session,
        _RECORD,
        endpoint=endpoint_id,
        life=GIVEN_UP_AFTER,
        taken=TAKEN,
        ids=[each.outbox_id for each in tried],
        tokens=[each.token for each in tried],
        outcomes=[each.outcome for each in tried],
        took=[each.duration_ms for each in tried],
        pauses=[each.pause_s for each in tried],
    )
    outcomes = {row.outcome for row in written}
    if TAKEN in outcomes:
        session.execute(_TOOK, {"endpoint": endpoint_id})
    elif outcomes:
        failed = session.execute(
            _FAILED, {"endpoint": endpoint_id, "pauses": list(pauses_s), "steps": len(pauses_s)}
        ).one()
        _judge(session, endpoint_id, failed, outcomes, now)
    if dead := [row for row in written if row.status == DeliveryStatus.DEAD]:
        _give_up(session, endpoint_id, len(dead), dead[-1].outcome, now)
    return len(written)


def _judge(session: Session, endpoint_id: UUID, failed: Row[Any], outcomes: set[str], now: datetime) -> None:
    spent = is_spent(streak=failed.streak, failing_since=failed.failing_since, wall=failed.wall)
    if GONE not in outcomes and not spent:
        return
    endpoint = lock_endpoint(session, endpoint_id)
    if endpoint.status == EndpointStatus.ON:
        reason = GONE if GONE in outcomes else min(outcomes)
        switch_off(session, endpoint=endpoint, reason=reason, now=now)


def _give_up(session: Session, endpoint_id: UUID, count: int, outcome: str, now: datetime) -> None:
    endpoint = lock_endpoint(session, endpoint_id)
    raise_item(
        session,
        kind=WorkKind.DELIVERIES_DEAD,
        subject_type="endpoint",
        subject_id=endpoint.id,
        seller_id=endpoint.seller_id,
        summary=f"Endpoint {endpoint.code} did not take events for three days; the last {count} were given up.",
        error=outcome,
        safe_actions=["retry", "park", "discard"],
        now=now,
    )
