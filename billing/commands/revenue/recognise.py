"""Recognise: what was earned since goes from deferred revenue to revenue, for many lines in one statement."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import month_end, next_on
from billing.db.copy import array
from billing.db.zones import ZONES, local_date, midnight
from billing.kernel.ids import new_ids
from billing.queries.books.dating import zones_of

_WAITS = text(
    """
    SELECT count(*) FROM (
        SELECT FROM billing.revenue_schedule r
        WHERE r.next_at <= :now AND (CAST(:seller AS uuid) IS NULL OR r.seller_id = :seller) LIMIT :most
    ) AS waiting
    """
)
"""At most so many entries are made: an id for each is made and sent."""

# `through` is the day up to and with which a step counts. Days that are over are caught up in one step, but never past
# the end of a month: each month gets its own. One entry stands for all lines of a seller, currency, day and sign.
_RECOGNISE = text(
    f"""
    WITH {ZONES}, due AS (
        SELECT r.id, r.seller_id, r.currency, r.net_minor - r.credited_minor AS total, r.recognised_minor, r.base_on,
               r.base_minor, r.ends_on, r.next_on, s.timezone, s.revenue_recognition AS policy
        FROM billing.revenue_schedule r
        JOIN billing.seller s ON s.id = r.seller_id
        WHERE r.next_at <= :now AND (CAST(:seller AS uuid) IS NULL OR r.seller_id = :seller)
        ORDER BY r.next_at
        LIMIT :most FOR UPDATE OF r SKIP LOCKED
    ), reached AS (
        SELECT due.*, CASE WHEN ends_on <= next_on THEN next_on
                           ELSE greatest(next_on, least({month_end("next_on")}, ends_on - 1,
                                                        {local_date("CAST(:now AS timestamptz)", "z")} - 1))
                      END AS through
        FROM due JOIN zones z ON z.name = due.timezone
    ), step AS (
        SELECT *, through + 1 >= ends_on AS over,
               CASE WHEN through + 1 >= ends_on THEN total
                    ELSE base_minor + round((total - base_minor)::numeric * greatest(through + 1 - base_on, 0)
                                            / (ends_on - base_on))::bigint END AS target
        FROM reached
    ), going_on AS (
        SELECT *, CASE WHEN NOT over THEN {next_on("(through + 1)", "ends_on", "policy")} END AS then_on FROM step
    ), moved AS (
        UPDATE billing.revenue_schedule r
        SET recognised_minor = g.target, open_on = greatest(r.open_on, g.through + 1), next_on = g.then_on,
            next_at = {midnight("g.then_on + 1", "z")}, version = r.version + 1, updated_at = clock_timestamp()
        FROM going_on g JOIN zones z ON z.name = g.timezone
        WHERE r.id = g.id AND r.seller_id = g.seller_id
    ), grouped AS (
        SELECT seller_id, currency, through, target > recognised_minor AS earned,
               sum(target - recognised_minor) AS amount,
               least(min({midnight("through + 1", "z")}) - interval '1 microsecond', :now) AS effective_at,
               row_number() OVER (ORDER BY seller_id, currency, through) AS place
        FROM step JOIN zones z ON z.name = step.timezone
        WHERE target <> recognised_minor
        GROUP BY seller_id, currency, through, target > recognised_minor
    ), named AS (
        SELECT g.*, (CAST(:ids AS uuid[]))[g.place] AS entry_id FROM grouped g
    ), entries AS (
        INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, booked_on)
        SELECT entry_id, seller_id, 'recognition', effective_at, through FROM named
    ), postings AS (
        INSERT INTO billing.posting (entry_id, position, seller_id, account, currency, amount_minor)
        SELECT n.entry_id, p.position, n.seller_id, p.account, n.currency, p.sign * n.amount
        FROM named n CROSS JOIN (VALUES (1, 'deferred_revenue', 1), (2, 'revenue', -1)) AS p(position, account, sign)
    ), movements AS (
        INSERT INTO billing.revenue_movement (entry_id, line_id, seller_id, deferred_minor, recognised_minor)
        SELECT n.entry_id, s.id, s.seller_id, s.recognised_minor - s.target, s.target - s.recognised_minor
        FROM step s
        JOIN named n ON n.seller_id = s.seller_id AND n.currency = s.currency AND n.through = s.through
                    AND n.earned = (s.target > s.recognised_minor)
        WHERE s.target <> s.recognised_minor
    )
    SELECT count(*) FROM step
    """  # noqa: S608 (our own expressions)
)


def recognise(session: Session, *, now: datetime, most: int, seller_id: UUID | None = None) -> int:
    """Take one step for at most `most` lines that are due, of one seller or of all. Returns how many there were.

    Idempotent: the step and the line's next moment are one statement; lines in other hands are left to them, and those
    of a seller whose zone changes meanwhile to the next round.
    """
    most = int(session.execute(_WAITS, {"now": now, "most": most, "seller": seller_id}).scalar_one())
    if not most:
        return 0
    # No step goes further than the month after a day that has come.
    zones = zones_of(session, seller_id, last=now)
    values = {"now": now, "most": most, "seller": seller_id, "ids": array(new_ids(most)), "zones": zones}
    return int(session.execute(_RECOGNISE, values).scalar_one())
