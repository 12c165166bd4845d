"""Succeed: close every series and let a new one go on, so that a number that was given out is never given twice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.numbering import next_prefix, pattern_of, prefix_in
from billing.kernel.period import zone_info
from billing.models import Seller, Series


def succeed_all(session: Session, *, now: datetime) -> list[tuple[str, str]]:
    """Close every open series, at business time `now`. Returns (old, new) prefixes.

    One that has given no number here may have given some that are lost, and so may a year that has not begun here.
    """
    done = []
    rows = select(Series).where(Series.closed_at.is_(None)).order_by(Series.id)
    for series in session.scalars(rows.with_for_update()).all():
        prefix, year = series.prefix, series.year
        if year is not None:
            seller = session.get_one(Seller, series.seller_id)
            today = year_of(seller, now)
            if today > year:
                prefix, year = prefix_in(pattern_for(seller, series.kind), today), today
        prefix = next_prefix(prefix)
        while is_taken(session, series.seller_id, prefix):
            prefix = next_prefix(prefix)
        succeed(session, series, prefix=prefix, year=year, now=now)
        done.append((series.prefix, prefix))
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


def pattern_for(seller: Seller, kind: str) -> str:
    """What the seller says for this kind of series."""
    return pattern_of(kind, code=seller.code, invoices=seller.number_prefix, credit_notes=seller.credit_note_prefix)


def year_of(seller: Seller, at: datetime) -> int:
    """By the seller's calendar."""
    return at.astimezone(zone_info(seller.timezone)).year
