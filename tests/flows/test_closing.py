"""A closed month stays as it was, whatever is learnt later and whoever writes at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.flows.bookkeeping import close
from billing.flows.order import Done, Order
from billing.kernel.errors import Refused
from billing.models import Account, LedgerEntry, MonthClose
from tests.flows.company import START, Company

JANUARY = date(2026, 1, 1)
ORDER = Order(actor="ada", reason="the month is over")


@pytest.fixture
def billed(acme: Company) -> Company:
    """A month paid on 31 January; it is 3 February."""
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(datetime(2026, 2, 3, tzinfo=UTC))
    return acme


def test_a_dry_run_takes_the_books_before_the_lines_that_their_writers_wait_for(billed: Company) -> None:
    """The other way round it holds lines while it waits for a writer, who may wait for one of those lines."""
    order = Order(actor="ada", reason="only looking", dry_run=True)
    with billed.counting_statements() as statements:
        assert close(billed.parts, billed.seller_id, month=JANUARY, order=order).changed
    books = [place for place, each in enumerate(statements) if "pg_advisory_xact_lock(" in each]
    lines = [place for place, each in enumerate(statements) if "UPDATE billing.revenue_schedule" in each]
    assert books[0] < lines[0]


def _close(acme: Company, month: date = JANUARY) -> Done:
    return close(acme.parts, acme.seller_id, month=month, order=ORDER)


def _post(acme: Company, at: datetime) -> None:
    """A fact that took effect then, and is learnt now."""
    with acme.parts.begin() as session:
        post(
            session,
            kind="credit_grant",
            seller_id=acme.seller_id,
            profile_id=acme.invoices()[0].profile_id,
            currency="eur",
            sides=((Account.BANK, 1), (Account.ROUNDING, -1)),
            now=at,
        )


def _closed(acme: Company) -> MonthClose:
    with acme.begin() as session:
        return session.scalars(select(MonthClose)).one()


def test_closing_recognises_first_and_keeps_what_each_account_stood_at(billed: Company) -> None:
    assert _close(billed).changed
    balances = {each["account"]: each["balance_minor"] for each in _closed(billed).balances}
    assert balances == {
        "deferred_revenue": -964,
        "provider_clearing": 1190,
        "revenue": -36,
        "tax_payable": -190,
    }


def test_closing_twice_changes_nothing_and_says_so(billed: Company) -> None:
    _close(billed)
    again = _close(billed)
    assert (again.changed, again.told) == (False, "is closed already for ACME")
    assert _closed(billed).month == JANUARY


def test_a_month_that_runs_is_not_closed(billed: Company) -> None:
    with pytest.raises(Refused, match="month_not_over"):
        _close(billed, date(2026, 2, 1))


def test_a_refused_close_has_recognised_nothing(billed: Company) -> None:
    before = billed.account(Account.DEFERRED_REVENUE)
    with pytest.raises(Refused):
        _close(billed, date(2026, 2, 1))
    assert billed.account(Account.DEFERRED_REVENUE) == before != 0


def test_what_is_learnt_later_is_dated_in_the_open_month_and_keeps_its_instant(billed: Company) -> None:
    _close(billed)
    _post(billed, START)
    with billed.begin() as session:
        entry = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()
    assert entry is not None
    assert (entry.booked_on, entry.effective_at) == (date(2026, 2, 1), START)


@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO billing.posting
           SELECT entry_id, position + n, seller_id, account, currency, CASE n WHEN 10 THEN 7 ELSE -7 END
           FROM billing.posting, (VALUES (10), (20)) AS v(n)
           WHERE position = 1""",
        "UPDATE billing.ledger_entry SET booked_on = '2026-02-01'",
        "UPDATE billing.month_close SET balances = '[]'",
        "DELETE FROM billing.month_close",
    ],
)
def test_the_database_defends_a_closed_month(billed: Company, statement: str) -> None:
    _close(billed)
    with pytest.raises(DBAPIError), billed.parts.begin() as session:
        session.execute(text(statement))


def test_an_entry_cannot_be_dated_into_a_closed_month(billed: Company) -> None:
    _close(billed)
    with billed.parts.begin() as session:
        dated = session.execute(
            text(
                """INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, booked_on)
                   SELECT gen_random_uuid(), id, 'issue', now(), '2026-01-05' FROM billing.seller RETURNING booked_on"""
            )
        ).scalar_one()
        session.rollback()
    assert dated == date(2026, 2, 1)


def test_closing_waits_for_who_is_writing_and_counts_it(billed: Company) -> None:
    with ThreadPoolExecutor(1) as other, billed.parts.sessions() as writing:
        with writing.begin():
            profile = billed.invoices()[0].profile_id
            _book_late(billed, writing, profile)
            closing = other.submit(_close, billed)
            billed.wait_for(lambda: _waiting_for_the_books(billed))
        assert closing.result(timeout=10).changed
    balances = {each["account"]: each["balance_minor"] for each in _closed(billed).balances}
    assert balances["bank"] == 5


def _book_late(acme: Company, session: Session, profile: UUID) -> None:
    sides = ((Account.BANK, 5), (Account.ROUNDING, -5))
    post(
        session,
        kind="credit_grant",
        seller_id=acme.seller_id,
        profile_id=profile,
        currency="eur",
        sides=sides,
        now=START,
    )
    session.flush()


def _waiting_for_the_books(acme: Company) -> bool:
    with acme.begin() as session:
        waiting = text(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()"
        )
        return bool(session.execute(waiting).scalar_one())
