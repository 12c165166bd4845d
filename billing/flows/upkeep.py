"""Upkeep: wake what waits. A slice whose nudge was lost, or whose worker died, is nudged again after its lease."""

from __future__ import annotations

from sqlalchemy import text

from billing.commands.api_answer.purge import purge_answers
from billing.commands.slice.cut import TASKS
from billing.commands.work_item.close import close_gone
from billing.flows.parts import Parts
from billing.queue.buffer import after_commit
from billing.queue.names import TaskName

BATCH, BATCHES = 1_000, 50
"""Rows that one transaction forgets, and how many of them a tick runs at most."""

_WAKE_SLICES = text(
    """
    UPDATE billing.slice
    SET updated_at = clock_timestamp(), version = version + 1
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.slice
        WHERE status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < clock_timestamp())
          AND updated_at < clock_timestamp() - make_interval(secs => :lease_s)
        ORDER BY updated_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id, kind
    """
)

_BEAT = text(
    """
    INSERT INTO billing.heartbeat (tick, worker, seen_at) VALUES (:tick, :worker, clock_timestamp())
    ON CONFLICT (tick) DO UPDATE SET worker = excluded.worker, seen_at = excluded.seen_at
    """
)


def wake_slices(parts: Parts) -> int:
    """Nudge a worker for every slice that nobody holds. Returns their number."""
    with parts.begin() as session:
        rows = session.execute(
            _WAKE_SLICES, {"lease_s": parts.settings.lease_s, "most": parts.settings.billing_plan_limit}
        ).all()
        for row in rows:
            after_commit(session, TASKS[row.kind], row.id)
    return len(rows)


def close_gone_work(parts: Parts) -> int:
    """Resolve work items whose cause is gone: the retried subscription was billed, the retried invoice tried."""
    with parts.begin() as session:
        return close_gone(session, now=parts.clock.now(session), most=parts.settings.billing_plan_limit)


def forget_answers(parts: Parts) -> int:
    """Forget answers of the HTTP API whose day is over, in small batches. Returns how many; the rest is next time's."""
    gone = 0
    for _ in range(BATCHES):
        with parts.begin() as session:
            count = purge_answers(session, most=BATCH)
        gone += count
        if count < BATCH:
            break
    return gone


def beat(parts: Parts, tick: TaskName, *, worker: str) -> None:
    """Note that this tick's work was done to the end (wall time)."""
    with parts.begin() as session:
        session.execute(_BEAT, {"tick": tick.name, "worker": worker})
