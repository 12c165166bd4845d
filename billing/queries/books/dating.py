"""How a seller's books are dated: by its zone, from its open month on, and as often as it books what is earned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.db.zones import tables
from billing.kernel.period import zone_info

EVER = date(1, 1, 1)
"""Before whatever is booked: the first day of what has no other."""


class Dating(NamedTuple):
    """What the accounting dates of one seller go by."""

    zone: str
    open_from: date | None
    """First day of the open month; None: no month is closed."""
    recognition: str
    """day | month: how often what is earned is booked."""

    def day(self, at: datetime) -> date:
        """The date that an instant bears: by our own data of the zone, as documents and periods are dated."""
        return at.astimezone(zone_info(self.zone)).date()

    def open_day(self, at: datetime) -> date:
        """The same, or the first day of the open month, if that is later."""
        day = self.day(at)
        return day if self.open_from is None else max(day, self.open_from)


def datings(session: Session, seller_ids: Iterable[UUID]) -> dict[UUID, Dating]:
    """Those of these sellers, in one statement."""
    rows = session.execute(_DATINGS, {"ids": id_array(set(seller_ids))})
    return {row.id: Dating(row.timezone, row.books_open_from, row.revenue_recognition) for row in rows}


_DATINGS = text(
    "SELECT id, timezone, books_open_from, revenue_recognition FROM billing.seller WHERE id = ANY(CAST(:ids AS uuid[]))"
)


def zones_of(session: Session, seller_id: UUID | None, *, last: date) -> str:
    """What statements over a seller, or all of them, bind as `:zones`: their zones from 1970 to the year after `last`.

    Rows of a seller that comes, or whose zone changes, between the two statements are left to the next time.
    """
    names = session.scalars(_ZONES, {"seller": seller_id})
    return tables(names, first=1970, last=last.year + 1)


_ZONES = text("SELECT DISTINCT timezone FROM billing.seller WHERE CAST(:seller AS uuid) IS NULL OR id = :seller")
