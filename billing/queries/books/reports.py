"""The reports of the end of a day: what is owed, what is deferred, and payouts. Each ties to an account."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.zones import ZONES, local_date
from billing.queries.books.dating import EVER, zones_of
from billing.queries.books.report import Report, read_rows, ties

# What invoices and disputes say is owed now, rolled back by what was booked after the day.
_AGING = f"""
WITH {ZONES}, later AS (
    SELECT CASE d.kind WHEN 'invoice' THEN d.id ELSE d.corrects_id END AS id,
           e.kind IN ('dispute_lost', 'dispute_regained', 'dispute_write_off', 'dispute_write_off_back',
                      'dispute_repaid')
             OR EXISTS (SELECT FROM billing.dispute x
                        WHERE x.invoice_id = d.corrects_id AND x.decision = 'credit_note'
                          AND x.decided_at = e.effective_at) AS disputed,
           p.amount_minor AS amount
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id AND p.account = 'receivable'
    JOIN billing.invoice d ON d.id = e.invoice_id
    WHERE e.booked_on > :until AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
), part AS (
    SELECT id, disputed, -amount AS amount FROM later
    UNION ALL
    SELECT id, false, amount_remaining_minor FROM billing.invoice
    WHERE status = 'open' AND (CAST(:seller AS uuid) IS NULL OR seller_id = :seller)
    UNION ALL
    SELECT invoice_id, true, reopened_minor - repaid_minor FROM billing.dispute
    WHERE reopened_minor > repaid_minor AND decision IS NULL AND (CAST(:seller AS uuid) IS NULL OR seller_id = :seller)
), owed AS (
    SELECT i.id, i.seller_id, i.profile_id, i.currency, p.disputed, sum(p.amount) AS amount, s.timezone,
           coalesce(i.due_at, i.issued_at) AS due_at
    FROM part p
    JOIN billing.invoice i ON i.id = p.id
    JOIN billing.seller s ON s.id = i.seller_id
    WHERE i.kind = 'invoice' AND i.number IS NOT NULL
    GROUP BY i.id, i.seller_id, i.profile_id, i.currency, p.disputed, s.timezone
), dated AS (
    SELECT o.*, CAST(:until AS date) - {local_date("o.due_at", "z")} AS late
    FROM owed o JOIN zones z ON z.name = o.timezone WHERE o.amount <> 0 OFFSET 0
), aged AS (
    SELECT *, CASE WHEN disputed THEN 5 WHEN late <= 0 THEN 0 WHEN late <= 30 THEN 1 WHEN late <= 60 THEN 2
                   WHEN late <= 90 THEN 3 ELSE 4 END AS place
    FROM dated
)
SELECT s.code AS seller, a.currency, CASE WHEN :by_customer THEN f.account_id END AS account_id,
       (ARRAY['not late', '1-30 days', '31-60 days', '61-90 days', 'over 90 days', 'disputed'])[a.place + 1] AS late,
       count(*) AS invoices, sum(a.amount)::bigint AS amount_minor
FROM aged a JOIN billing.seller s ON s.id = a.seller_id JOIN billing.profile f ON f.id = a.profile_id
GROUP BY 1, 2, 3, a.place
ORDER BY 1, 2, 3, a.place
"""  # noqa: S608 (our own text)


def aging_report(session: Session, *, as_of: date, by_customer: bool = False, seller_id: UUID | None = None) -> Report:
    """What was owed on invoices at the end of a day, by how many days it was late (due date, else date of issue).

    What a lost dispute has put back, and nobody has decided on, is `disputed`, however late. `by_customer`: each row is
    of one, by the host's own id.
    """
    values = {"since": EVER, "until": as_of, "seller": seller_id}
    asked = {"by_customer": by_customer, "zones": zones_of(session, seller_id, last=as_of)}
    rows = read_rows(session, _AGING, values | asked)
    whose = ("account_id",) if by_customer else ()
    columns = ("seller", "currency", *whose, "late", "invoices", "amount_minor")
    return Report("aging", columns, rows, ties(session, rows, values, account="receivable", sign=1))


# Of each line, what was deferred of it at the end of the day, in equal parts over the days that were not booked by
# then, to the end that it had then. Those that are over are earned with the next. What is deferred now is rolled back
# by what was booked after the day: lines that were earned long ago are not looked at.
_DEFERRED = """
WITH later AS (
    SELECT m.line_id, sum(m.deferred_minor) AS amount
    FROM billing.ledger_entry e
    JOIN billing.revenue_movement m ON m.entry_id = e.id AND m.seller_id = e.seller_id
    WHERE e.booked_on > :until AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
    GROUP BY m.line_id
), touched AS (
    SELECT id FROM billing.revenue_schedule
    WHERE next_at IS NOT NULL AND (CAST(:seller AS uuid) IS NULL OR seller_id = :seller)
    UNION SELECT line_id FROM later
), line AS (
    SELECT r.id, r.seller_id, r.currency, now.deferred - coalesce(later.amount, 0) AS deferred,
           greatest(r.starts_on, moved.open_on) AS base, greatest(r.starts_on, CAST(:until AS date) + 1) AS first,
           greatest(coalesce(former.ends_on, r.ends_on), r.starts_on) AS ends_on
    FROM touched
    JOIN billing.revenue_schedule r ON r.id = touched.id
    CROSS JOIN LATERAL (SELECT r.net_minor - r.credited_minor - r.recognised_minor AS deferred) AS now
    LEFT JOIN later ON later.line_id = r.id
    LEFT JOIN LATERAL (
        SELECT max(e.booked_on) + 1 AS open_on
        FROM billing.revenue_movement m JOIN billing.ledger_entry e ON e.id = m.entry_id
        WHERE m.line_id = r.id AND e.kind = 'recognition' AND e.booked_on <= :until
    ) AS moved ON true
    LEFT JOIN LATERAL (
        SELECT (c.cut ->> 'until')::date AS ends_on FROM jsonb_array_elements(r.cuts) WITH ORDINALITY AS c(cut, place)
        WHERE (c.cut ->> 'on')::date > :until ORDER BY c.place LIMIT 1
    ) AS former ON r.cuts <> '[]'
    WHERE r.issued_on <= :until AND now.deferred - coalesce(later.amount, 0) <> 0
), reached AS (
    SELECT l.id, l.seller_id, l.currency, month::date AS month,
           CASE WHEN l.ends_on <= l.first THEN l.deferred
                ELSE round(l.deferred::numeric
                           * least((month + interval '1 month')::date - l.base, l.ends_on - l.base)
                           / (l.ends_on - l.base)) END AS amount
    FROM line l
    CROSS JOIN generate_series(date_trunc('month', l.first::timestamp),
                               date_trunc('month', greatest(l.ends_on - 1, l.first)::timestamp), '1 month') AS month
), part AS (
    SELECT *, amount - lag(amount, 1, 0::numeric) OVER (PARTITION BY id ORDER BY month) AS part FROM reached
)
SELECT s.code AS seller, p.currency, to_char(p.month, 'YYYY-MM') AS month, count(*) AS lines,
       sum(p.part)::bigint AS amount_minor
FROM part p JOIN billing.seller s ON s.id = p.seller_id
GROUP BY s.code, p.currency, p.month
ORDER BY s.code, p.currency, p.month
"""


def deferred_report(session: Session, *, as_of: date, seller_id: UUID | None = None) -> Report:
    """What was invoiced and not yet earned at the end of a day, by the month that will earn it."""
    values = {"since": EVER, "until": as_of, "seller": seller_id}
    rows = read_rows(session, _DEFERRED, values)
    columns = ("seller", "currency", "month", "lines", "amount_minor")
    return Report("deferred", columns, rows, ties(session, rows, values, account="deferred_revenue", sign=-1))


# Whose money each payout holds, and where that was at the end of the month: on its way, or at the bank.
_PAYOUTS = f"""
WITH {ZONES}, share AS (
    SELECT s.code AS seller, p.currency, p.payout_ref AS payout, p.arrives_at::date AS arrives, h.amount_minor,
           {local_date("p.opened_at", "z")} AS opened, {local_date("p.paid_at", "z")} AS paid,
           {local_date("p.failed_at", "z")} AS failed
    FROM billing.payout p
    CROSS JOIN jsonb_to_recordset(p.shares) AS h(seller_id uuid, amount_minor bigint)
    JOIN billing.seller s ON s.id = h.seller_id
    JOIN zones z ON z.name = s.timezone
    WHERE CAST(:seller AS uuid) IS NULL OR h.seller_id = :seller
)
SELECT seller, currency, payout, opened, arrives, amount_minor,
       CASE WHEN failed <= :until THEN 'failed' WHEN paid <= :until THEN 'paid' ELSE 'in transit' END AS status,
       CASE WHEN paid <= :until OR failed <= :until THEN 0 ELSE amount_minor END AS in_transit_minor,
       CASE WHEN paid BETWEEN :since AND :until THEN amount_minor ELSE 0 END
           - CASE WHEN paid IS NOT NULL AND failed BETWEEN :since AND :until THEN amount_minor ELSE 0 END
           AS banked_minor
FROM share
WHERE opened <= :until AND (coalesce(failed, paid) IS NULL OR greatest(failed, paid) >= :since)
ORDER BY seller, currency, opened, payout
"""  # noqa: S608 (our own text)


def payouts_report(session: Session, *, month: date, seller_id: UUID | None = None) -> Report:
    """Payouts that were on their way, arrived or failed in a month (its first day); a seller's share of each."""
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    values = {"since": month, "until": last, "seller": seller_id}
    rows = read_rows(session, _PAYOUTS, values | {"zones": zones_of(session, seller_id, last=last)})
    columns = (
        "seller", "currency", "payout", "status", "opened", "arrives", "amount_minor", "in_transit_minor",
        "banked_minor",
    )  # fmt: skip
    on_the_way = ties(
        session,
        rows,
        {**values, "since": EVER},
        account="payouts_in_transit",
        sign=1,
        column="in_transit_minor",
    )
    return Report(
        "payouts",
        columns,
        rows,
        (*on_the_way, *ties(session, rows, values, account="bank", sign=1, column="banked_minor")),
    )
