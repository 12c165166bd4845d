"""Succeed: close every series and let a new one go on, so that a number that was given out is never given twice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.numbering import next_prefix
from billing.models import Series


def succeed_all(session: Session, *, now: datetime) -> list[tuple[str, str]]:
    """Close every open series that has given a number, at business time `now`. Returns (old, new) prefixes."""
    done = []
    rows = select(Series).where(Series.closed_at.is_(None), Series.next_no > 1).order_by(Series.id)
    for series in session.scalars(rows.with_for_update()).all():
        new = succeed(session, series, prefix=next_prefix(series.prefix), year=series.year, now=now)
        done.append((series.prefix, new.prefix))
    return done


def succeed(session: Session, series: Series, *, prefix: str, year: int | None, now: datetime) -> Series:
    """Close this series, which the caller holds, and begin another at 1: whoever waits for the one finds the other."""
    series.closed_at = now
    session.flush()
    new = Series(
        id=new_id(), seller_id=series.seller_id, kind=series.kind, prefix=prefix, next_no=1, year=year,
        last_issued_at=series.last_issued_at,
    )  # fmt: skip
    session.add(new)
    session.flush()
    return new


def is_taken(session: Session, seller_id: UUID, prefix: str) -> bool:
    """Whether a series of the seller has, or had, this prefix."""
    return bool(session.scalar(select(exists().where(Series.seller_id == seller_id, Series.prefix == prefix))))
