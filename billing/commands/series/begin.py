"""Begin: the numbers of a seller's documents go on under another prefix, or in another year."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.series.succeed import is_taken, pattern_for, succeed, year_of
from billing.kernel.errors import Fault, Refused
from billing.kernel.numbering import next_prefix, prefix_in, year_in
from billing.models import Seller, Series

FIELDS = {"invoice": "number_prefix", "credit_note": "credit_note_prefix"}


def begin_series(session: Session, *, seller: Seller, kind: str, now: datetime) -> None:
    """Go on as the seller says now, from 1 on; one that has given no number yet is merely named anew.

    Raises `Refused` (`prefix_taken`).
    """
    series = session.scalars(
        select(Series)
        .where(Series.seller_id == seller.id, Series.kind == kind, Series.closed_at.is_(None))
        .with_for_update()
    ).one()
    pattern, today = pattern_for(seller, kind), year_of(seller, now)
    prefix, year = prefix_in(pattern, today), year_in(pattern, today)
    if prefix != series.prefix and is_taken(session, seller.id, prefix):
        raise Refused(Fault(FIELDS[kind], "prefix_taken", f"numbers begin with {prefix} already; choose another"))
    if prefix == series.prefix or series.last_issued_at is None:
        series.prefix, series.year = prefix, year
        session.flush()
    else:
        succeed(session, series, prefix=prefix, year=year, now=now)


def turn_year(session: Session, series_id: UUID, *, pattern: str, year: int, now: datetime) -> Series:
    """Begin the series of a new year. The caller holds the one of the year before."""
    series = session.get_one(Series, series_id, populate_existing=True)
    prefix = prefix_in(pattern, year)
    while is_taken(session, series.seller_id, prefix):
        prefix = next_prefix(prefix)
    return succeed(session, series, prefix=prefix, year=year, now=now)
