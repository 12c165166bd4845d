"""What a person sees first: what is due, what fails, what was billed and collected on the last days."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all

MOST = 10_000
"""Things of one kind are counted up to so many, so that a page costs the same however much there is."""
_PATIENCE_MS = 3000

_STANDING = """
SELECT
    (SELECT count(*) FROM (SELECT FROM billing.subscription
      WHERE next_due_at IS NOT NULL AND next_due_at <= :now AND hold_id IS NULL LIMIT :most) AS due) AS renewals_due,
    (SELECT count(*) FROM (SELECT FROM billing.invoice
      WHERE status IN ('open', 'draft') AND next_attempt_at IS NOT NULL AND next_attempt_at <= :now
        AND hold_id IS NULL LIMIT :most) AS due) AS charges_due
"""

_FAILING = """
SELECT currency, count(*) AS invoices, sum(amount_remaining_minor)::bigint AS amount_minor
FROM (SELECT currency, amount_remaining_minor FROM billing.invoice
      WHERE status = 'open' AND next_attempt_at IS NOT NULL AND hold_id IS NULL AND dunning_step > 0
      LIMIT :most) AS failing
GROUP BY currency ORDER BY invoices DESC
"""

_GIVEN_UP = """
SELECT currency, count(*) AS invoices, sum(amount_remaining_minor)::bigint AS amount_minor
FROM (SELECT currency, amount_remaining_minor FROM billing.invoice
      WHERE status = 'open' AND final_decision IS NOT NULL AND next_attempt_at IS NULL
      LIMIT :most) AS given_up
GROUP BY currency ORDER BY invoices DESC
"""

_STOPPED = """
SELECT b.kind, s.code AS seller, b.actor, b.reason, b.stopped_at
FROM billing.brake b LEFT JOIN billing.seller s ON s.id = b.seller_id
WHERE b.released_at IS NULL AND b.profile_id IS NULL ORDER BY b.id
"""

# By the range of days that the entries' index keeps. An invoice counts without the credit that it uses, which its
# cancellation takes back in full: a void gives that back first.
_DAYS = """
SELECT e.booked_on AS day, g.currency,
       coalesce(sum(g.amount_minor) FILTER (WHERE e.kind IN ('issue', 'void')), 0)::bigint AS billed_minor,
       coalesce(-sum(g.amount_minor) FILTER (WHERE e.kind NOT IN ('issue', 'void')), 0)::bigint AS collected_minor
FROM billing.ledger_entry e JOIN billing.posting g ON g.entry_id = e.id AND g.account = 'receivable'
WHERE e.booked_on >= :since AND e.booked_on <= :until
  AND e.kind IN ('issue', 'void', 'payment', 'external_payment', 'dispute_repaid')
GROUP BY e.booked_on, g.currency ORDER BY e.booked_on, g.currency
"""


def standing(session: Session, *, now: datetime) -> Facts:
    """`renewals_due` and `charges_due` at business time `now`, each counted up to `MOST`."""
    return read_all(session, _STANDING, {"now": now, "most": MOST})[0]


def failing(session: Session) -> list[Facts]:
    """Open invoices whose last try failed and that are tried again: how many, and how much, by currency."""
    return read_all(session, _FAILING, {"most": MOST})


def given_up(session: Session) -> list[Facts]:
    """Open invoices whose retries have ended: how many, and how much, by currency."""
    return read_all(session, _GIVEN_UP, {"most": MOST})


def stopped(session: Session) -> list[Facts]:
    """Brakes of everything and of sellers that are in force; those of single customers are on their pages."""
    return read_all(session, _STOPPED, {})


def money_by_day(session: Session, *, since: date, until: date) -> list[Facts]:
    """What was invoiced and what came in, by accounting date and currency, both days included.

    Reads the entries of those days: it gives up after three seconds, by an error of the driver.
    """
    session.execute(text(f"SET LOCAL statement_timeout = {_PATIENCE_MS}"))
    return read_all(session, _DAYS, {"since": since, "until": until})
