"""`billing ledger`: the books at the prompt."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing.queries.books import postings
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def billed(office: Office) -> Office:
    """One customer who paid 11.90 EUR on 2026-01-31."""
    office.acme.customer("a1")
    office.acme.subscribe("a1", "s1")
    office.acme.settle()
    return office


def exported(office: Office, *args: str) -> list[dict[str, str]]:
    told = office.ok("ledger", "export", "--from", "2026-01-01", "--to", "2026-12-31", *args)
    return list(csv.DictReader(io.StringIO(told)))


def test_a_trial_balance_sums_to_nothing_and_knows_its_day(billed: Office) -> None:
    (found,) = billed.read("ledger", "trial-balance", "--as-of", "2026-01-31")["balances"]
    assert (found["seller"], found["currency"], found["difference_minor"]) == ("ACME", "eur", 0)
    balances = {each["account"]: each["balance_minor"] for each in found["accounts"]}
    assert balances["provider_clearing"] == 1190
    assert balances["tax_payable"] == -190
    assert billed.read("ledger", "trial-balance", "--as-of", "2026-01-30")["balances"] == []
    assert "11.90 EUR" in billed.ok("ledger", "trial-balance", "--as-of", "2026-01-31", "--seller", "ACME")


def test_books_are_told_until_today_unless_a_day_is_named_and_exported_whole(billed: Office) -> None:
    today = billed.acme.now().date().isoformat()
    told = billed.read("ledger", "trial-balance")
    assert told["as_of"] == today
    assert told["balances"] == billed.read("ledger", "trial-balance", "--as-of", today)["balances"] != []
    for name in ("aging", "deferred"):
        assert billed.read("report", name) == billed.read("report", name, "--as-of", today)
    assert list(csv.DictReader(io.StringIO(billed.ok("ledger", "export")))) == exported(billed) != []


def test_a_trial_balance_of_a_month_opens_with_what_stood_before_it(billed: Office) -> None:
    billed.acme.set_clock(datetime(2026, 2, 28, 12, tzinfo=UTC))
    billed.acme.settle()

    def read(*args: str) -> dict[str, tuple[int, int, int, int]]:
        (found,) = billed.read("ledger", "trial-balance", "--as-of", "2026-02-28", *args)["balances"]
        names = ("opening_minor", "debit_minor", "credit_minor", "balance_minor")
        return {each["account"]: tuple(each[name] for name in names) for each in found["accounts"]}

    ever, february = read(), read("--from", "2026-02-01")
    assert ever["tax_payable"] == (0, 0, 380, -380)
    assert february["tax_payable"] == (-190, 0, 190, -380)
    assert february["receivable"] == (0, 1190, 1190, 0)
    assert {name: each[3] for name, each in february.items()} == {name: each[3] for name, each in ever.items()}
    assert all(opening + debit - credit == stands for opening, debit, credit, stands in february.values())
    assert sum(opening for opening, *_ in february.values()) == 0
    told = billed.ok("ledger", "trial-balance", "--from", "2026-02-01", "--as-of", "2026-02-28")
    assert "from 2026-02-01 to the end of 2026-02-28" in told
    assert "opening" in told
    assert billed.run("ledger", "trial-balance", "--from", "2026-03-01", "--as-of", "2026-02-28").exit_code == 2


def test_a_trial_balance_that_is_off_ends_with_a_finding(billed: Office) -> None:
    billed.execute("SET LOCAL session_replication_role = replica; UPDATE billing.posting SET amount_minor = 1191 "
                   "WHERE account = 'provider_clearing'")  # fmt: skip
    told = billed.run("ledger", "trial-balance", "--as-of", "2026-01-31")
    assert told.exit_code == 1
    assert "sum 0.01 EUR" in told.stdout


def test_an_export_has_every_posting_once_with_the_numbers_of_the_sellers_own_chart(billed: Office) -> None:
    billed.ok("ledger", "account", "receivable", "1400", "--seller", "ACME", *WHY)
    rows = exported(billed)
    assert {row["date"] for row in rows} == {"2026-01-31"}
    assert [(row["kind"], row["debit"], row["credit"]) for row in rows if row["code"] == "1400"] == [
        ("issue", "11.90", ""),
        ("payment", "", "11.90"),
    ]
    assert {row["document"] for row in rows} == {str(billed.acme.invoices()[0].number)}
    billed.ok("ledger", "account", "receivable", "=1+1", "--seller", "ACME", *WHY)
    assert {row["code"] for row in exported(billed)} == {"", "'=1+1"}
    billed.ok("ledger", "account", "receivable", "--seller", "ACME", *WHY)
    assert {row["code"] for row in exported(billed)} == {""}
    assert [record.action for record in billed.trail()] == ["seller.map_account"] * 3


def test_a_wrong_account_and_a_file_that_is_there_are_refused(billed: Office, tmp_path: Path) -> None:
    assert billed.run("ledger", "account", "cash", "1000", "--seller", "ACME", *WHY).exit_code == 3
    (tmp_path / "books.csv").write_text("mine")
    told = billed.run("ledger", "export", "--from", "2026-01-01", "--to", "2026-01-31", "--out", "books.csv")
    assert told.exit_code == 3
    assert (tmp_path / "books.csv").read_text() == "mine"


def test_a_refused_or_broken_export_leaves_no_file_that_looks_like_the_books(billed: Office, tmp_path: Path) -> None:
    january = ("ledger", "export", "--from", "2026-01-01", "--to", "2026-01-31")
    refused = billed.run(*january, "--seller", "NONE", "--out", "books.csv")
    assert (refused.exit_code, "seller_not_found" in refused.stderr, refused.stdout) == (3, True, "")
    assert billed.run(*january, "--seller", "NONE").stdout == "", "no head of a table that does not come"
    billed.execute("ALTER TABLE billing.posting RENAME TO away")
    assert billed.run(*january, "--out", "books.csv").exit_code != 0
    billed.execute("ALTER TABLE billing.away RENAME TO posting")
    assert not (tmp_path / "books.csv").exists()
    billed.ok(*january, "--out", "books.csv")
    assert (tmp_path / "books.csv").read_text().count("\n") > 1


def test_an_export_holds_a_page_in_memory_at_a_time(billed: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "PAGE", 2)
    with billed.acme.parts.begin() as session:
        rows = postings.stream_postings(session, since=date(2026, 1, 1), until=date(2026, 12, 31))
        next(rows)
        fetched = session.connection().exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar_one()
    assert fetched == 1, "rows come through a cursor of the server's"


def test_a_month_is_closed_once_and_only_when_it_is_over(billed: Office) -> None:
    assert billed.run("ledger", "close", "2026-01").exit_code == 3
    billed.acme.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    tried = billed.ok("ledger", "close", "2026-01", "--dry-run")
    assert tried == "dry run: 2026-01: would be closed for ACME\n"
    told = billed.ok("ledger", "close", "2026-01", "--by", "ada")
    assert told == "2026-01: is closed for ACME; what comes later is dated in the open month\n"
    assert billed.ok("ledger", "close", "2026-01") == "2026-01: is closed already for ACME\n"
    assert [record.action for record in billed.trail()] == ["ledger.close"]
    assert billed.run("ledger", "close", "2026-13").exit_code == 2
