"""`billing invoice`, `payment`, `profile`, `subscription`: one thing and its whole story, without what is personal."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.flows import renewal
from billing.models import AuditRecord
from tests.ops.office import WHY, Office, office_of

PERSONAL = ("Person a1", "a1@example.com", "Street 1", "10115")


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def billed(office: Office) -> Office:
    """One customer, declined for want of money."""
    office.acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    office.acme.subscribe("a1", "s1")
    office.acme.settle()
    return office


def test_a_list_is_filtered_and_shows_amounts_as_people_write_them(billed: Office) -> None:
    number = str(billed.acme.invoices()[0].number)
    told = billed.ok("invoice", "list", "--status", "open", "--customer", "a1", "--since", "2026-01-31")
    assert number in told
    assert "11.90 EUR" in told
    assert "2026-01-31T00:00:00Z" in told
    assert "No such invoice." in billed.ok("invoice", "list", "--status", "void")
    (row,) = billed.read("invoice", "list")
    assert (row["total_minor"], row["currency"]) == (1190, "eur")


def test_amounts_of_a_list_stand_below_each_other_by_their_last_digit(office: Office) -> None:
    for account, quantity in (("a1", 1), ("a2", 100)):
        office.acme.customer(account)
        office.acme.subscribe(account, f"s-{account}", quantity=quantity)
    office.acme.settle()
    small, large = sorted(line for line in office.ok("invoice", "list").splitlines() if " EUR" in line)
    assert small.index(" EUR") == large.index(" EUR")


def test_a_paid_invoice_that_is_to_be_voided_is_refused_with_what_gives_money_back(office: Office) -> None:
    office.acme.customer("a1")
    office.acme.subscribe("a1", "s1")
    office.acme.settle()
    refused = office.run("invoice", "void", str(office.acme.invoices()[0].number), *WHY)
    assert (refused.exit_code, "invoice_not_open" in refused.stderr) == (3, True)
    assert "`billing refund`" in refused.stderr
    assert "`billing invoice credit`" in refused.stderr


def test_the_whole_story_of_an_invoice_holds_nothing_personal(billed: Office) -> None:
    invoice = billed.acme.invoices()[0]
    for name in (str(invoice.number), str(invoice.id)):
        told = billed.ok("invoice", "show", name)
        facts = billed.read("invoice", "show", name)
        for said in (told, str(facts)):
            assert not [value for value in PERSONAL if value in said]
    assert [line["amount_minor"] for line in facts["lines"]] == [1000]
    assert [payment["decline_code"] for payment in facts["payments"]] == ["insufficient_funds"]
    assert facts["payments"][0]["evidence"]["outcome"] == "declined"
    assert sum(posting["amount_minor"] for posting in facts["postings"]) == 0
    assert facts["tax_groups"][0]["tax_minor"] == 190


def test_a_unit_price_stands_in_the_main_unit_as_the_amounts_beside_it_do(office: Office) -> None:
    office.acme.price("call", "12.5")
    office.acme.customer("a1")
    office.acme.subscribe("a1", "s1", price="call", quantity=10)
    office.acme.settle()
    (advance,) = office.acme.invoices()
    (row,) = [line for line in office.ok("invoice", "show", advance.number).splitlines() if " recurring " in line]
    assert "   0.125 EUR   " in row, "for one"
    assert "   1.25 EUR   " in row, "in all"
    (line,) = office.read("invoice", "show", advance.number)["lines"]
    assert (line["unit_amount"], line["amount_minor"]) == ("12.5", 125), "programs have minor units in both"


def test_a_document_is_printed_with_a_reason_and_each_print_is_written_down(billed: Office) -> None:
    number = str(billed.acme.invoices()[0].number)
    assert billed.run("invoice", "pdf", number).exit_code == 2
    path = billed.ok("invoice", "pdf", number, *WHY).strip()
    assert path == f"{number}.pdf"
    assert Path(path).read_bytes().startswith(b"%PDF-")
    page = billed.ok("invoice", "html", number, "--out", "mine.html", "--language", "de", *WHY).strip()
    assert "Person a1" in Path(page).read_text(encoding="utf-8")
    trail = billed.read("invoice", "show", number)["audit_trail"]
    assert [each["action"] for each in trail] == ["invoice.print", "invoice.print"]


def test_a_file_that_names_people_is_its_makers_alone_and_one_that_was_there_stays_as_open_as_it_was(
    billed: Office, tmp_path: Path
) -> None:
    number = str(billed.acme.invoices()[0].number)
    before = os.umask(0o022)
    try:
        for asked in (("invoice", "pdf", number), ("invoice", "html", number), ("profile", "export", "a1")):
            billed.ok(*asked, "--out", asked[1], *WHY)
            assert stat.S_IMODE((tmp_path / asked[1]).stat().st_mode) == 0o600, asked
    finally:
        os.umask(before)
    (tmp_path / "shared").write_text("longer than what is written over it " * 10_000)
    (tmp_path / "shared").chmod(0o640)
    billed.ok("profile", "export", "a1", "--out", "shared", *WHY)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o640
    assert json.loads((tmp_path / "shared").read_text())["personal"]["email"] == "a1@example.com"


def test_what_cannot_be_written_is_refused_and_no_fault_of_the_program(billed: Office) -> None:
    number = str(billed.acme.invoices()[0].number)
    for asked in (("invoice", "pdf", number), ("invoice", "html", number), ("profile", "export", "a1")):
        refused = billed.run(*asked, "--out", "not_there/mine", *WHY)
        assert (refused.exit_code, refused.stdout) == (3, "")
        assert "not_writable" in refused.stderr


def test_parties_are_opened_with_a_reason_and_each_look_is_written_down(billed: Office) -> None:
    number = str(billed.acme.invoices()[0].number)
    assert billed.run("invoice", "show", number, "--parties").exit_code == 2
    assert billed.trail() == []
    parties = billed.read("invoice", "show", number, "--parties", *WHY)["parties"]
    assert "Person a1" in str(parties["buyer"])
    assert parties["seller"]["legal_name"] == "Acme GmbH"
    assert "Street 1" in billed.ok("invoice", "show", number, "--parties", *WHY)
    assert [(row.action, row.actor, row.reason) for row in billed.trail()] == [
        ("invoice.parties.view", "ada", WHY[1])
    ] * 2
    with billed.acme.begin() as session:
        assert "Person" not in str([(row.before, row.after) for row in session.scalars(select(AuditRecord))])


def test_a_retry_by_hand_is_outside_the_schedule_and_done_once(billed: Office) -> None:
    invoice = billed.acme.invoices()[0]
    number, planned = str(invoice.number), invoice.next_attempt_at
    before = billed.fingerprint()
    assert "dry run" in billed.ok("invoice", "retry", number, "--dry-run", *WHY)
    assert billed.fingerprint() == before

    assert "it is due now" in billed.ok("invoice", "retry", number, *WHY)
    assert "a try is due already; nothing was changed" in billed.ok("invoice", "retry", number, *WHY)
    billed.settle()

    assert [(payment.scheduled, payment.status) for payment in billed.acme.payments()] == [
        (True, "declined"),
        (False, "declined"),
    ]
    after = billed.acme.invoices()[0]
    assert (after.dunning_step, after.next_attempt_at) == (0, planned)
    assert [row.action for row in billed.trail()] == ["invoice.retry", "invoice.retry"]


def test_a_retry_is_refused_where_nothing_may_be_charged(billed: Office) -> None:
    acme = billed.acme
    number = str(acme.invoices()[0].number)
    acme.customer("a2", method="pm_card_visa_chargeDeclinedStolenCard")
    acme.subscribe("a2", "s2")
    acme.customer("a3")
    acme.subscribe("a3", "s3")
    acme.customer("a4", method=None)
    acme.subscribe("a4", "s4")
    acme.settle()
    codes = {}
    for invoice in acme.invoices():
        result = billed.run("invoice", "retry", str(invoice.number), *WHY)
        codes[acme.subscription(invoice.subscription_id).code] = (result.exit_code, result.stderr)  # type: ignore[arg-type]
    assert codes["s1"][0] == 0
    assert {code: status for code, (status, _) in codes.items() if code != "s1"} == {"s2": 3, "s3": 3, "s4": 3}
    assert "payment_method_refused" in codes["s2"][1]
    assert "invoice: invoice_not_open — it is paid" in codes["s3"][1]
    assert "payment_method_missing" in codes["s4"][1]
    billed.execute(
        "UPDATE billing.payment SET status = 'processing', closed_at = NULL WHERE attempt_no = 1 AND "
        "invoice_id = (SELECT id FROM billing.invoice WHERE number = :number)",
        number=number,
    )
    assert "payment_in_flight" in billed.run("invoice", "retry", number, *WHY).stderr
    assert "invoice_not_found" in billed.run("invoice", "show", "ACME-999999").stderr


def test_an_unknown_attempt_is_resolved_by_asking_and_a_second_order_changes_nothing(office: Office) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents"})
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1.0})
    renewal.plan(acme.parts)
    acme.run_messages()
    (attempt,) = acme.payments()
    assert attempt.status == "unknown"
    office.execute("UPDATE billing.payment SET next_check_at = clock_timestamp() + interval '1 hour'")

    answer = office.read("payment", "resolve", str(attempt.id), *WHY)
    assert (answer["asked"], answer["before"], answer["status"]) == (True, "unknown", "succeeded")
    assert "is succeeded already; nothing was asked" in office.ok("payment", "resolve", str(attempt.id), *WHY)
    assert acme.invoices()[0].status == "paid"
    assert [charge.amount_minor for charge in acme.witness.charges()] == [1190]
    assert [row.action for row in office.trail()] == ["payment.resolve"]
    shown = office.read("payment", "show", str(attempt.id))
    assert [write["step"] for write in shown["writes"]] == ["charge"]
    assert "payment.resolve" in office.ok("payment", "show", str(attempt.id))


def test_an_attempt_in_a_workers_hands_is_left_to_it(office: Office) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents"})
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1.0})
    renewal.plan(acme.parts)
    acme.run_messages()
    office.execute("UPDATE billing.payment SET lease_until = clock_timestamp() + interval '1 hour'")
    result = office.run("payment", "resolve", str(acme.payments()[0].id), *WHY)
    assert (result.exit_code, "payment_in_hands" in result.stderr) == (3, True)
    assert office.trail() == []


def test_a_customer_and_a_subscription_are_shown_without_what_is_personal(billed: Office) -> None:
    for args in (("profile", "show", "a1"), ("subscription", "show", "s1")):
        told, facts = billed.ok(*args), billed.read(*args)
        assert not [value for value in PERSONAL if value in told or value in str(facts)]
    profile = billed.read("profile", "show", "a1")
    assert profile["owed"] == [{"currency": "eur", "amount_minor": 1190, "invoices": 1}]
    assert [method["last4"] is not None for method in profile["payment_methods"]] == [True]
    assert [period["invoice_status"] for period in billed.read("subscription", "show", "s1")["periods"]] == ["open"]
    assert billed.run("profile", "show", "nobody").exit_code == 3


def test_a_subscription_is_canceled_at_its_periods_end_once_and_now_for_good(billed: Office) -> None:
    before = billed.fingerprint()
    billed.ok("subscription", "cancel", "s1", "--when", "period_end", "--dry-run", *WHY)
    assert billed.fingerprint() == before
    assert "it ends at 2026-02-28" in billed.ok("subscription", "cancel", "s1", "--when", "period_end", *WHY)
    again = billed.ok("subscription", "cancel", "s1", "--when", "period_end", *WHY)
    assert "already; nothing was changed" in again
    billed.ok("subscription", "cancel", "s1", "--when", "now", *WHY)
    over = billed.run("subscription", "cancel", "s1", "--when", "now", *WHY)
    assert (over.exit_code, "subscription_canceled" in over.stderr) == (3, True)
    assert [row.action for row in billed.trail()] == [
        "subscription.cancel.period_end",
        "subscription.cancel.period_end",
        "subscription.cancel.now",
    ]
