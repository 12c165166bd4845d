"""Record an audit: its row, and the seals of tables whose rows never change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import AuditRun, AuditSeal
from billing.queries.audit.recent import id_at
from billing.queries.audit.seals import SEALED_TABLES, compute

_SETTLED = timedelta(hours=1)
"""Rows older than this are sealed: no transaction that writes one takes so long."""


def record_run(
    session: Session,
    *,
    since: datetime | None,
    began_at: datetime,
    ended_at: datetime,
    rows_seen: int,
    by_code: Mapping[str, int],
    accepted: Mapping[str, int],
) -> None:
    """Write the row of an audit of every invariant. All times are wall time; `since` is null for a whole one."""
    row = AuditRun(
        id=new_id(),
        scope="whole" if since is None else "recent",
        since=since,
        began_at=began_at,
        ended_at=ended_at,
        rows_seen=rows_seen,
        violations=sum(by_code.values()),
        by_code=dict(by_code),
        accepted=dict(accepted),
    )
    session.add(row)
    session.flush()


def seal(session: Session, *, began_at: datetime) -> None:
    """Seal what had settled when a whole audit that found nothing began, so that the next one sees it unchanged."""
    upto = id_at(began_at - _SETTLED)
    for table in SEALED_TABLES:
        made = compute(session, table, upto)
        session.add(AuditSeal(id=new_id(), table_name=table, upto=upto, rows=made.rows, digest=made.digest))
    session.flush()
