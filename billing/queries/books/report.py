"""What a report is: rows from documents and schedules, and for each seller and currency its tie to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.books.closed import CLOSED, STOOD, first_open
from billing.queries.books.dating import EVER

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tie:
    """What a report comes to and what its account says, in minor units, both as the report counts (owed is positive).

    The two are read from different rows: a report that only repeated the ledger would tie whatever is wrong.
    """

    seller: str
    currency: str
    account: str
    report_minor: int
    ledger_minor: int

    @property
    def difference_minor(self) -> int:
        return self.report_minor - self.ledger_minor


@dataclass(frozen=True, slots=True)
class Report:
    """The rows, by the columns of the first of them, and the ties."""

    name: str
    columns: tuple[str, ...]
    rows: Rows
    ties: tuple[Tie, ...]

    @property
    def broken(self) -> bool:
        return any(tie.difference_minor for tie in self.ties)


def read_rows(session: Session, sql: str, values: dict[str, Any]) -> Rows:
    """The rows of a report: sums of whole minor units, and words."""
    return [dict(row) for row in session.execute(text(sql), values).mappings()]


_LEDGER = """
SELECT s.code AS seller, p.currency, sum(p.amount_minor) AS amount_minor
FROM billing.ledger_entry e
JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id
JOIN billing.seller s ON s.id = e.seller_id
WHERE p.account = :account AND e.booked_on <= :until AND e.booked_on >= :since
  AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
GROUP BY s.code, p.currency
"""


# Up to the end of a day, from the last month that was closed by then.
_STANDING = f"""
WITH {CLOSED}, booked AS (
    SELECT e.seller_id, p.currency, p.amount_minor
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id
    LEFT JOIN closed c ON c.seller_id = e.seller_id
    WHERE p.account = :account AND e.booked_on BETWEEN :first AND :until
      AND (c.open_on IS NULL OR e.booked_on >= c.open_on)
      AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
    UNION ALL
    SELECT closed.seller_id, stood.currency, stood.balance_minor FROM closed, {STOOD} WHERE stood.account = :account
)
SELECT s.code AS seller, b.currency, sum(b.amount_minor) AS amount_minor
FROM booked b JOIN billing.seller s ON s.id = b.seller_id
GROUP BY s.code, b.currency
"""  # noqa: S608 (our own words)


def ties(
    session: Session,
    rows: Rows,
    values: dict[str, Any],
    *,
    account: str,
    sign: int,
    column: str = "amount_minor",
    ledger: str = _LEDGER,
) -> tuple[Tie, ...]:
    """For each seller and currency: the sum of a column of the rows, and the account from `since` to `until`.

    `sign`: 1 where the account's debits are what the report counts, -1 where its credits are. `ledger`: what else than
    the account between two days it is compared with. From `EVER` on, it is what the account stood at.
    """
    if values.get("since") == EVER:
        ledger, day_after = _STANDING, values["until"] + timedelta(days=1)
        first = first_open(session, from_close=day_after, seller_id=values["seller"])
        values = {**values, "from_close": day_after, "first": first}
    reported: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row["seller"], row["currency"]
        reported[key] = reported.get(key, 0) + int(row[column])
    booked = {
        (row["seller"], row["currency"]): sign * int(row["amount_minor"])
        for row in read_rows(session, ledger, {**values, "account": account})
    }
    return tuple(
        Tie(seller, currency, account, reported.get((seller, currency), 0), booked.get((seller, currency), 0))
        for seller, currency in sorted(reported.keys() | booked.keys())
    )
