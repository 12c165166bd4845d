"""Reads of earlier audits, and of the work that they made."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.kernel.status import LIVE_WORK
from billing.models import AuditRun, WorkItem
from billing.queries.operations.paging import Facts, read_all


def last_clean(session: Session) -> datetime | None:
    """Wall time at which the last audit that found nothing took its snapshot."""
    query = select(AuditRun.began_at).where(AuditRun.violations == 0).order_by(AuditRun.began_at.desc()).limit(1)
    return session.scalar(query)


_GAUGE = """
SELECT r.rows_seen,
       extract(epoch FROM clock_timestamp() - r.began_at)::float8 AS age_s,
       extract(epoch FROM r.ended_at - r.began_at)::float8 AS took_s,
       (SELECT extract(epoch FROM clock_timestamp() - max(c.began_at))::float8
        FROM billing.audit_run c WHERE c.violations = 0) AS clean_age_s,
       extract(epoch FROM clock_timestamp() - w.began_at)::float8 AS whole_age_s,
       (SELECT jsonb_object_agg(code, most) FROM (
            SELECT code, max(number::int) AS most FROM (VALUES (r.by_code), (w.by_code), (s.by_code)) AS run(by_code)
            CROSS JOIN jsonb_each_text(run.by_code) AS each(code, number) GROUP BY code) AS found) AS by_code,
       (SELECT coalesce(jsonb_object_agg(code, most), '{}') FROM (
            SELECT code, max(number::int) AS most FROM (VALUES (r.accepted), (w.accepted)) AS run(accepted)
            CROSS JOIN jsonb_each_text(run.accepted) AS each(code, number) GROUP BY code) AS found) AS accepted
FROM billing.audit_run r
LEFT JOIN LATERAL (SELECT began_at, by_code, accepted FROM billing.audit_run
                   WHERE scope = 'whole' ORDER BY id DESC LIMIT 1) AS w ON true
LEFT JOIN LATERAL (SELECT jsonb_object_agg(code, number) AS by_code FROM (
                       SELECT finding ->> 'code' AS code, count(*) AS number
                       FROM billing.work_item CROSS JOIN jsonb_array_elements(findings) AS each(finding)
                       WHERE kind = 'witness_disagrees' AND status IN ('open', 'parked') GROUP BY 1) AS standing
                  ) AS s ON true
ORDER BY r.id DESC LIMIT 1
"""


def gauge(session: Session) -> Facts | None:
    """The last audit: what it found, its age and that of the last clean one, how long it took; seconds of wall time.

    A recent audit does not look at all that the last whole one saw: what that found stands until the next. So does what
    only a witness showed, until one is asked again. `accepted` are findings by invariant that are no violations,
    because a person accepted them.
    """
    rows = read_all(session, _GAUGE, {})
    return rows[0] if rows else None


def live_findings(session: Session, kind: str, began_at: datetime, *, whole: bool) -> list[WorkItem]:
    """Open and parked items of findings that an audit begun at `began_at` (wall time) has looked at again.

    Not what was found, or touched, after its snapshot was taken. Unless it was `whole`, not what stood when a whole one
    found something: it may have been that, and lie before what a recent one looks at, or be of checks that it leaves
    out. The run itself is recorded already.
    """
    query = select(WorkItem).where(
        WorkItem.kind == kind, WorkItem.status.in_(LIVE_WORK), WorkItem.updated_at < began_at
    )
    if not whole:
        broken = select(func.max(AuditRun.created_at)).where(AuditRun.scope == "whole", AuditRun.violations > 0)
        after = func.coalesce(broken.scalar_subquery(), datetime.min.replace(tzinfo=UTC))
        first = select(func.min(AuditRun.created_at)).where(AuditRun.created_at > after)
        query = query.where(WorkItem.created_at >= first.scalar_subquery())
    return list(session.scalars(query.order_by(WorkItem.id).with_for_update(key_share=True)))
