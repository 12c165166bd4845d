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
    """
    SELECT s.code AS seller, p.currency, p.account, s.account_codes ->> p.account AS code,
           sum(p.amount_minor) FILTER (WHERE e.booked_on < :since) AS opening,
           sum(p.amount_minor) FILTER (WHERE p.amount_minor > 0 AND e.booked_on >= :since) AS debit,
           -sum(p.amount_minor) FILTER (WHERE p.amount_minor < 0 AND e.booked_on >= :since) AS credit,
           sum(p.amount_minor) AS balance
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id
    JOIN billing.seller s ON s.id = e.seller_id
    WHERE e.booked_on <= :as_of AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
    GROUP BY s.code, s.account_codes, p.currency, p.account
    ORDER BY s.code, p.currency, p.account
    """
)


def trial_balances(
    session: Session, *, as_of: date, since: date | None = None, seller_id: UUID | None = None
) -> list[TrialBalance]:
    """All accounts with postings dated up to and including `as_of`, in one statement.

    Their turnover is that of the days from `since` on, by default of all.
    """
    rows = session.execute(_BALANCES, {"as_of": as_of, "since": since or EVER, "seller": seller_id})
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
