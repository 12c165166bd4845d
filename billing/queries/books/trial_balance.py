"""Trial balance: what each account stands at, by seller and currency, at the end of a day, and how it came there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.queries.books.closed import CLOSED, STOOD, first_open
from billing.queries.books.dating import EVER


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account stood at before the first day, its turnover since, and what it stands at; a debit positive.

    Minor units. `code` is the account's number in the seller's own chart, null where it gave none.
    """

    account: str
    code: str | None
    opening_minor: int
    debit_minor: int
    credit_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """One seller's accounts in one currency. `difference_minor` is 0, or the books are broken."""

    seller: str
    currency: str
    accounts: tuple[Balance, ...]

    @property
    def difference_minor(self) -> int:
        return sum(each.balance_minor for each in self.accounts)

    def of(self, account: str) -> int:
        """What one account stands at."""
        return sum(each.balance_minor for each in self.accounts if each.account == account)


_BALANCES = text(
    f"""
    WITH {CLOSED}, moved AS (
        SELECT e.seller_id, p.currency, p.account, p.amount_minor AS amount, e.booked_on >= :since AS is_turnover
        FROM billing.ledger_entry e
        JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id
        LEFT JOIN closed c ON c.seller_id = e.seller_id
        WHERE e.booked_on BETWEEN :first AND :as_of AND (c.open_on IS NULL OR e.booked_on >= c.open_on)
          AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
        UNION ALL
        SELECT closed.seller_id, stood.currency, stood.account, stood.balance_minor, false FROM closed, {STOOD}
    )
    SELECT s.code AS seller, m.currency, m.account, s.account_codes ->> m.account AS code,
           sum(m.amount) FILTER (WHERE NOT m.is_turnover) AS opening,
           sum(m.amount) FILTER (WHERE m.amount > 0 AND m.is_turnover) AS debit,
           -sum(m.amount) FILTER (WHERE m.amount < 0 AND m.is_turnover) AS credit,
           sum(m.amount) AS balance
    FROM moved m JOIN billing.seller s ON s.id = m.seller_id
    GROUP BY s.code, s.account_codes, m.currency, m.account
    ORDER BY s.code, m.currency, m.account
    """  # noqa: S608 (our own words)
)


def trial_balances(
    session: Session, *, as_of: date, since: date | None = None, seller_id: UUID | None = None
) -> list[TrialBalance]:
    """What each account stands at with all that is dated up to and including `as_of`.

    Their turnover is that of the days from `since` on, by default of all. What lies before `since` is taken from the
    last month that was closed by then, where there is one, so that few months are read however old the books are: an
    account that stood at nothing there, and was left alone since, is not among them.
    """
    since = since or EVER
    first = first_open(session, from_close=since, seller_id=seller_id)
    values = {"as_of": as_of, "since": since, "from_close": since, "first": first, "seller": seller_id}
    rows = session.execute(_BALANCES, values)
    return list(_grouped(rows.all()))


def _grouped(rows: Sequence[Row[Any]]) -> Iterator[TrialBalance]:
    for (seller, currency), group in groupby(rows, key=lambda row: (row.seller, row.currency)):
        accounts = tuple(
            Balance(
                row.account,
                row.code,
                int(row.opening or 0),
                int(row.debit or 0),
                int(row.credit or 0),
                int(row.balance),
            )
            for row in group
        )
        yield TrialBalance(seller, currency, accounts)
