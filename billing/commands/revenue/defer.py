"""Defer: the lines of documents that are being issued start their way from deferred revenue to revenue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import next_day
from billing.db.copy import array, id_array, instants
from billing.kernel.period import midnight
from billing.queries.books.dating import Dating


class Deferral(NamedTuple):
    """A line's net in minor units, and the time that it is for (None: the moment of issue)."""

    line_id: UUID
    seller_id: UUID
    invoice_id: UUID
    currency: str
    net_minor: int
    starts_at: datetime | None
    ends_at: datetime | None


_DEFER = text(
    """
    INSERT INTO billing.revenue_schedule
        (id, seller_id, invoice_id, currency, net_minor, issued_on, starts_on, ends_on, base_on, open_on, next_on,
         next_at)
    SELECT d.id, t.seller_id, d.invoice_id, t.currency, d.net_minor, t.issued_on, t.starts_on, t.ends_on, t.starts_on,
           t.starts_on, t.next_on, t.next_at
    FROM unnest(CAST(:lines AS uuid[]), CAST(:invoices AS uuid[]), CAST(:nets AS bigint[]), CAST(:places AS bigint[]))
         AS d(id, invoice_id, net_minor, place)
    JOIN unnest(CAST(:sellers AS uuid[]), CAST(:currencies AS text[]), CAST(:issued AS date[]), CAST(:starts AS date[]),
                CAST(:ends AS date[]), CAST(:days AS date[]), CAST(:ats AS timestamptz[]))
         WITH ORDINALITY AS t(seller_id, currency, issued_on, starts_on, ends_on, next_on, next_at, place) USING (place)
    """
)

_ONE = timedelta(days=1)
_Time = tuple[UUID, str, datetime | None, datetime | None]
"""Seller, currency, and from when to when. Most lines of a slice are for one of few, so each is dated once."""


def defer(session: Session, deferrals: Sequence[Deferral], *, datings: Mapping[UUID, Dating], now: datetime) -> None:
    """Write the schedules, in one statement. The caller posts the amounts to deferred revenue.

    `datings` are those of the sellers.
    """
    if not deferrals:
        return
    times: dict[_Time, int] = {}
    places = [
        times.setdefault((each.seller_id, each.currency, each.starts_at, each.ends_at), len(times) + 1)
        for each in deferrals
    ]
    dated = [_dates(starts, ends, datings[seller_id], now) for seller_id, _, starts, ends in times]
    issued, starts, ends, days, ats = zip(*dated, strict=True)
    session.execute(
        _DEFER,
        {
            "sellers": id_array(seller_id for seller_id, _, _, _ in times),
            "currencies": array(currency for _, currency, _, _ in times),
            "issued": array(issued),
            "starts": array(starts),
            "ends": array(ends),
            "days": array(days),
            "ats": instants(ats),
            "lines": id_array(each.line_id for each in deferrals),
            "invoices": id_array(each.invoice_id for each in deferrals),
            "nets": array(each.net_minor for each in deferrals),
            "places": array(places),
        },
    )


def _dates(
    starts_at: datetime | None, ends_at: datetime | None, dating: Dating, now: datetime
) -> tuple[date, date, date, date, datetime]:
    """Issued, first day, day after the last, up to which day the next part counts, and when that is booked.

    A line whose time is over when it is invoiced, or that has none, is recognised at once; one with a single day, when
    that day begins; others when a day or month of theirs is over.
    """
    issued = dating.open_day(now)
    starts = issued if starts_at is None else dating.day(starts_at)
    over = ends_at or starts_at
    ends = issued if over is None else dating.day(over)
    if ends <= issued:
        return issued, starts, ends, issued, now
    if starts == ends:
        return issued, starts, ends, starts, midnight(starts, dating.zone)
    day = next_day(max(starts, issued), ends, dating.recognition)
    return issued, starts, ends, day, midnight(day + _ONE, dating.zone)
