"""Defer: the lines of documents that are being issued start their way from deferred revenue to revenue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import midnight, next_on
from billing.db.copy import array, id_array, instants


@dataclass(frozen=True, slots=True)
class Deferral:
    """A line's net in minor units, and the time that it is for (None: the moment of issue)."""

    line_id: UUID
    seller_id: UUID
    invoice_id: UUID
    currency: str
    net_minor: int
    starts_at: datetime | None
    ends_at: datetime | None


# A line whose time is over when it is invoiced, or that has none, is recognised at once; one with a single day, when
# that day begins; others when a day or month of theirs is over.
_DEFER = text(
    f"""
    INSERT INTO billing.revenue_schedule
        (id, seller_id, invoice_id, currency, net_minor, issued_on, starts_on, ends_on, base_on, open_on, next_on,
         next_at)
    SELECT d.id, d.seller_id, d.invoice_id, d.currency, d.net_minor, p.issued_on, p.starts_on, p.ends_on, p.starts_on,
           p.starts_on, n.next_on,
           CASE WHEN p.ends_on <= p.issued_on THEN CAST(:now AS timestamptz)
                WHEN p.starts_on = p.ends_on THEN {midnight("n.next_on", "s.timezone")}
                ELSE {midnight("n.next_on + 1", "s.timezone")} END
    FROM unnest(CAST(:lines AS uuid[]), CAST(:sellers AS uuid[]), CAST(:invoices AS uuid[]),
                CAST(:currencies AS text[]), CAST(:nets AS bigint[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]))
         AS d(id, seller_id, invoice_id, currency, net_minor, starts_at, ends_at)
    JOIN billing.seller s ON s.id = d.seller_id
    CROSS JOIN LATERAL (
        SELECT i.issued_on, coalesce((d.starts_at AT TIME ZONE s.timezone)::date, i.issued_on) AS starts_on,
               coalesce((d.ends_at AT TIME ZONE s.timezone)::date, (d.starts_at AT TIME ZONE s.timezone)::date,
                        i.issued_on) AS ends_on
        FROM (SELECT greatest((CAST(:now AS timestamptz) AT TIME ZONE s.timezone)::date, s.books_open_from)
                     AS issued_on) AS i) AS p
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.ends_on <= p.issued_on THEN p.issued_on
                    WHEN p.starts_on = p.ends_on THEN p.starts_on
                    ELSE {next_on("greatest(p.starts_on, p.issued_on)", "p.ends_on", "s.revenue_recognition")} END
               AS next_on) AS n
    """  # noqa: S608 (our own expressions)
)


def defer(session: Session, deferrals: Sequence[Deferral], *, now: datetime) -> None:
    """Write the schedules, in one statement. The caller posts the amounts to deferred revenue."""
    if not deferrals:
        return
    session.execute(
        _DEFER,
        {
            "now": now,
            "lines": id_array(each.line_id for each in deferrals),
            "sellers": id_array(each.seller_id for each in deferrals),
            "invoices": id_array(each.invoice_id for each in deferrals),
            "currencies": array(each.currency for each in deferrals),
            "nets": array(each.net_minor for each in deferrals),
            "starts": instants(each.starts_at for each in deferrals),
            "ends": instants(each.ends_at for each in deferrals),
        },
    )
