"""`billing report`: each report says what the documents say, ties to the ledger, and fails where they differ."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from billing.commands.payout.note import note_payout
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import correcting, refunding
from billing.models import Dispute
from billing.providers.listed import PayoutFacts
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.company import START
from tests.ops.office import Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def billed(office: Office) -> Office:
    """January: one paid and partly refunded, one open, one open until it is void in February."""
    acme = office.acme
    acme.customer("a1")
    acme.customer("b1", method="pm_card_chargeCustomerFail")
    acme.customer("b2", method="pm_card_chargeCustomerFail")
    for account in ("a1", "b1", "b2"):
        acme.subscribe(account, f"of-{account}")
    acme.settle()
    invoices = {each.subscription_id: each for each in acme.invoices()}
    paid, _, voided = [each for each in invoices.values() if each.kind == "invoice"]
    refunding.refund(acme.parts, paid.id, amount_minor=119)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    acme.settle()
    correcting.void(acme.parts, voided.id)
    return office


def _sum(report: dict[str, Any]) -> int:
    return sum(int(row["amount_minor"]) for row in report["rows"])


def test_tax_of_a_month_is_by_country_and_rate_and_ties(billed: Office) -> None:
    january = billed.read("report", "tax", "--month", "2026-01")
    columns = ("country", "percent", "documents", "number", "base_minor", "amount_minor")
    assert [tuple(row[column] for column in columns) for row in january["rows"]] == [
        ("DE", "19", "invoices", 3, 3000, 570),
        ("DE", "19", "notes", 1, -100, -19),
    ]
    (tie,) = january["ties"]
    assert (tie["account"], tie["report_minor"], tie["ledger_minor"], tie["difference_minor"]) == (
        "tax_payable", 551, 551, 0,
    )  # fmt: skip
    assert _sum(billed.read("report", "tax", "--month", "2026-02")) == -190


def test_a_document_with_tax_inside_and_on_top_of_one_rate_is_one_document(office: Office) -> None:
    acme = office.acme
    with acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=NewTaxRate("gross", Decimal(19), inclusive=True))
    acme.price("gross", 1190, tax_rate="gross")
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic", 1), NewItem("gross", 1))
    acme.settle()
    (row,) = office.read("report", "tax", "--month", "2026-01")["rows"]
    assert (row["number"], row["base_minor"], row["amount_minor"]) == (1, 2000, 380)


def test_what_is_owed_is_told_as_it_was_on_the_day(billed: Office) -> None:
    def owed(day: str) -> dict[str, int]:
        report = billed.read("report", "aging", "--as-of", day)
        assert [tie["difference_minor"] for tie in report["ties"]] == [0]
        return {row["late"]: row["amount_minor"] for row in report["rows"]}

    assert owed("2026-01-31") == {"not late": 2380}
    assert owed("2026-02-02") == {"1-30 days": 1190}
    assert owed("2026-05-31") == {"over 90 days": 1190}


def test_what_is_owed_is_told_by_customer(billed: Office) -> None:
    told = billed.read("report", "aging", "--as-of", "2026-01-31", "--by-customer")
    assert [(row["account_id"], row["late"], row["invoices"], row["amount_minor"]) for row in told["rows"]] == [
        ("b1", "not late", 1, 1190),
        ("b2", "not late", 1, 1190),
    ]
    assert [tie["difference_minor"] for tie in told["ties"]] == [0]
    done = billed.run("report", "aging", "--as-of", "2026-01-31", "--by-customer", "--csv")
    assert done.stdout.splitlines()[0] == "seller,currency,account_id,late,invoices,amount"


def test_no_cell_of_a_report_is_one_that_a_spreadsheet_would_run(billed: Office) -> None:
    billed.execute("UPDATE billing.profile SET account_id = '=1+1' WHERE account_id = 'b1'")
    billed.execute("UPDATE billing.profile SET account_id = '-5' WHERE account_id = 'b2'")
    done = billed.run("report", "aging", "--as-of", "2026-01-31", "--by-customer", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["account_id"] for row in rows} == {"'=1+1", "-5"}
    assert {row["amount"] for row in rows} == {"11.90"}


@pytest.mark.parametrize("decision", ["write-off", "credit"])
def test_what_a_lost_dispute_put_back_is_owed_as_disputed_until_it_is_decided_on(billed: Office, decision: str) -> None:
    acme = billed.acme
    charge = next(each for each in acme.witness.charges() if each.status == "succeeded")
    opened = acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    acme.settle()
    acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "lost"})
    acme.settle()

    def owed(day: str) -> dict[str, int]:
        report = billed.read("report", "aging", "--as-of", day)
        assert [tie["difference_minor"] for tie in report["ties"]] == [0]
        return {row["late"]: row["amount_minor"] for row in report["rows"]}

    assert owed("2026-01-31") == {"not late": 2380}
    assert owed("2026-02-02") == {"1-30 days": 1190, "disputed": 1071}
    with acme.begin() as session:
        dispute = session.scalars(select(Dispute)).one()
    acme.set_clock(START + timedelta(days=5))
    billed.ok("dispute", decision, str(dispute.id), "--reason", "it is gone")
    assert owed("2026-02-02") == {"1-30 days": 1190, "disputed": 1071}
    assert owed("2026-02-05") == {"1-30 days": 1190}


def test_what_is_deferred_is_told_by_the_month_that_earns_it(billed: Office) -> None:
    def deferred(day: str) -> dict[str, int]:
        report = billed.read("report", "deferred", "--as-of", day)
        assert [tie["difference_minor"] for tie in report["ties"]] == [0]
        return {row["month"]: row["amount_minor"] for row in report["rows"]}

    # 28 days: 10.00 twice and 9.00, of which January has one day; it is recognised by now.
    assert deferred("2026-01-31") == {"2026-02": 2 * 964 + 868}
    assert deferred("2026-02-02") == {"2026-02": 964 + 868}


def test_a_report_is_a_table_or_csv_with_its_tie_beside_it(billed: Office) -> None:
    told = billed.ok("report", "aging", "--as-of", "2026-02-02")
    assert "ACME EUR: report 11.90, receivable 11.90, difference 0.00" in told
    done = billed.run("report", "aging", "--as-of", "2026-02-02", "--csv")
    assert list(csv.DictReader(io.StringIO(done.stdout))) == [
        {"seller": "ACME", "currency": "EUR", "late": "1-30 days", "invoices": "1", "amount": "11.90"}
    ]
    assert "difference 0.00" in done.stderr
    assert " EUR " in told.splitlines()[3], "as the ledger's export and every amount say it"
    (row,) = billed.read("report", "aging", "--as-of", "2026-02-02")["rows"]
    assert row["currency"] == "eur", "JSON has it as the API does, and as it is given"


def test_payouts_of_a_month_are_on_their_way_or_at_the_bank(billed: Office) -> None:
    acme = billed.acme
    shares = [{"seller_id": str(acme.seller_id), "amount_minor": 500}]

    def note(ref: str, status: str, day: datetime) -> None:
        facts = PayoutFacts(ref, status, 500, "eur", day)
        with acme.parts.begin() as session:
            note_payout(session, account_id=acme.account_id, facts=facts, shares=shares, now=day)

    note("po_1", "in_transit", datetime(2026, 1, 30, tzinfo=UTC))
    note("po_1", "paid", datetime(2026, 2, 1, tzinfo=UTC))
    note("po_2", "paid", datetime(2026, 1, 31, tzinfo=UTC))
    note("po_2", "failed", datetime(2026, 2, 2, tzinfo=UTC))

    def told(month: str) -> list[tuple[str, str, int, int]]:
        report = billed.read("report", "payouts", "--month", month)
        assert [(tie["account"], tie["difference_minor"]) for tie in report["ties"]] == [
            ("payouts_in_transit", 0),
            ("bank", 0),
        ]
        columns = ("payout", "status", "in_transit_minor", "banked_minor")
        return [tuple(row[column] for column in columns) for row in report["rows"]]

    assert told("2026-01") == [("po_1", "in transit", 500, 0), ("po_2", "paid", 0, 500)]
    assert told("2026-02") == [("po_1", "paid", 0, 500), ("po_2", "failed", 0, -500)]
    (row,) = csv.DictReader(io.StringIO(billed.run("report", "payout", "po_1", "--csv").stdout))
    assert (row["type"], row["occurred_at"]) == ("not_listed", "2026-01-30T00:00:00Z"), "as in every other file of ours"
    billed.execute("UPDATE billing.payout SET paid_at = NULL WHERE payout_ref = 'po_1'")
    assert billed.run("report", "payouts", "--month", "2026-02").exit_code == 1


@pytest.mark.parametrize(
    ("account", "args"),
    [
        ("tax_payable", ("tax", "--month", "2026-01")),
        ("receivable", ("aging", "--as-of", "2026-02-02")),
        ("deferred_revenue", ("deferred", "--as-of", "2026-02-02")),
    ],
)
def test_a_report_that_does_not_tie_ends_with_a_finding(billed: Office, account: str, args: tuple[str, ...]) -> None:
    billed.execute(
        "SET LOCAL session_replication_role = replica; UPDATE billing.posting SET amount_minor = amount_minor + 7 "
        "WHERE (entry_id, position) = (SELECT p.entry_id, p.position FROM billing.posting p "
        f"JOIN billing.ledger_entry e ON e.id = p.entry_id WHERE p.account = '{account}' "
        "ORDER BY e.booked_on, p.entry_id, p.position LIMIT 1)"
    )
    told = billed.run("report", *args)
    assert told.exit_code == 1
    assert "difference 0.07" in told.stdout or "difference -0.07" in told.stdout
