"""Defer: the lines of documents that are being issued start their way from deferred revenue to revenue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import midnight, next_on
from billing.db.copy import array, id_array, instants


class Deferral(NamedTuple):
    """A line's net in minor units, and the time that it is for (None: the moment of issue)."""

    line_id: UUID
    seller_id: UUID
    invoice_id: UUID
    currency: str
    net_minor: int
    starts_at: datetime | None
    ends_at: datetime | None


# A line whose time is over when it is invoiced, or that has none, is recognised at once; one with a single day, when
# that day begins; others when a day or month of theirs is over. Most lines of a slice are for one of few times, so the
# dates of each time are reckoned once.
_DEFER = text(
    f"""
    WITH times AS MATERIALIZED (
        SELECT t.place, t.seller_id, t.currency, p.issued_on, p.starts_on, p.ends_on, n.next_on,
               CASE WHEN p.ends_on <= p.issued_on THEN CAST(:now AS timestamptz)
                    WHEN p.starts_on = p.ends_on THEN {midnight("n.next_on", "s.timezone")}
                    ELSE {midnight("n.next_on + 1", "s.timezone")} END AS next_at
        FROM unnest(CAST(:sellers AS uuid[]), CAST(:currencies AS text[]), CAST(:starts AS timestamptz[]),
                    CAST(:ends AS timestamptz[]))
             WITH ORDINALITY AS t(seller_id, currency, starts_at, ends_at, place)
        JOIN billing.seller s ON s.id = t.seller_id
        CROSS JOIN LATERAL (
            SELECT i.issued_on, coalesce((t.starts_at AT TIME ZONE s.timezone)::date, i.issued_on) AS starts_on,
                   coalesce((t.ends_at AT TIME ZONE s.timezone)::date, (t.starts_at AT TIME ZONE s.timezone)::date,
                            i.issued_on) AS ends_on
            FROM (SELECT greatest((CAST(:now AS timestamptz) AT TIME ZONE s.timezone)::date, s.books_open_from)
                         AS issued_on) AS i) AS p
        CROSS JOIN LATERAL (
            SELECT CASE WHEN p.ends_on <= p.issued_on THEN p.issued_on
                        WHEN p.starts_on = p.ends_on THEN p.starts_on
                        ELSE {next_on("greatest(p.starts_on, p.issued_on)", "p.ends_on", "s.revenue_recognition")} END
                   AS next_on) AS n)
    INSERT INTO billing.revenue_schedule
        (id, seller_id, invoice_id, currency, net_minor, issued_on, starts_on, ends_on, base_on, open_on, next_on,
         next_at)
    SELECT d.id, t.seller_id, d.invoice_id, t.currency, d.net_minor, t.issued_on, t.starts_on, t.ends_on, t.starts_on,
           t.starts_on, t.next_on, t.next_at
    FROM unnest(CAST(:lines AS uuid[]), CAST(:invoices AS uuid[]), CAST(:nets AS bigint[]), CAST(:places AS bigint[]))
         AS d(id, invoice_id, net_minor, place)
    JOIN times t USING (place)
    """  # noqa: S608 (our own expressions)
)


def defer(session: Session, deferrals: Sequence[Deferral], *, now: datetime) -> None:
    """Write the schedules, in one statement. The caller posts the amounts to deferred revenue."""
    if not deferrals:
        return
    times: dict[tuple[UUID, str, datetime | None, datetime | None], int] = {}
    places = [
        times.setdefault((each.seller_id, each.currency, each.starts_at, each.ends_at), len(times) + 1)
        for each in deferrals
    ]
    session.execute(
        _DEFER,
        {
            "now": now,
            "sellers": id_array(seller_id for seller_id, _, _, _ in times),
            "currencies": array(currency for _, currency, _, _ in times),
            "starts": instants(starts_at for _, _, starts_at, _ in times),
            "ends": instants(ends_at for _, _, _, ends_at in times),
            "lines": id_array(each.line_id for each in deferrals),
            "invoices": id_array(each.invoice_id for each in deferrals),
            "nets": array(each.net_minor for each in deferrals),
            "places": array(places),
        },
    )
