"""Succeed: close every series and let a new one go on, so that a number that was given out is never given twice."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import Series

_AGAIN = re.compile(r"^(?P<stem>.*-)?R(?P<times>\d+)-$")


def succeed_all(session: Session, *, now: datetime) -> list[tuple[str, str]]:
    """Close every open series that has given a number, at business time `now`. Returns (old, new) prefixes."""
    done = []
    rows = select(Series).where(Series.closed_at.is_(None), Series.next_no > 1).order_by(Series.id)
    for series in session.scalars(rows.with_for_update()).all():
        series.closed_at = now
        session.flush()
        prefix = next_prefix(series.prefix)
        session.add(Series(id=new_id(), seller_id=series.seller_id, kind=series.kind, prefix=prefix, next_no=1))
        done.append((series.prefix, prefix))
    session.flush()
    return done


def next_prefix(prefix: str) -> str:
    """`ACME-` → `ACME-R1-` → `ACME-R2-`."""
    found = _AGAIN.match(prefix)
    if found is None:
        return f"{prefix}R1-"
    return f"{found['stem'] or ''}R{int(found['times']) + 1}-"
