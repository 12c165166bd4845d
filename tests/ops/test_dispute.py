"""`billing dispute`: what banks take back, seen and decided on at the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.refunds import paid_invoice
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        paid_invoice(ready.acme)
        yield ready


def _dispute(office: Office) -> str:
    (charge,) = office.acme.witness.charges()
    opened = office.acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, "reason": "duplicate"})
    office.acme.settle()
    return str(opened["id"])


def test_a_dispute_is_listed_shown_and_decided_on_once(office: Office) -> None:
    assert "No such dispute." in office.ok("dispute", "list", "--open")
    ref = _dispute(office)
    told = office.ok("dispute", "list", "--open", "--customer", "a1")
    assert ref in told
    assert "11.90 EUR" in told
    assert office.run("dispute", "write-off", ref, *WHY).exit_code == 3, "it is not lost"
    office.acme.witness.call("POST", f"disputes/{ref}/close", {"status": "lost"})
    office.acme.settle()
    before = office.fingerprint()
    assert "11.90 EUR are written off" in office.ok("dispute", "write-off", ref, "--dry-run", *WHY)
    assert office.fingerprint() == before
    assert "are credited by ACME-CN-000001" in office.ok("dispute", "credit", ref, *WHY)
    assert office.read("invoice", "show", "ACME-CN-000001")["corrects"] == "ACME-000001"
    said = office.ok("invoice", "show", "ACME-CN-000001", "--explain")
    assert said.endswith("11.90 EUR of invoice ACME-000001 is not owed any more.\n"), "the bank has given it back"
    assert office.run("dispute", "credit", ref, *WHY).exit_code == 3
    bank = ("invoice", "mark-paid", "ACME-000001", "--amount", "500")
    assert office.run(*bank, *WHY).exit_code == 3, "nothing is owed on it: the bank's name for it is needed"
    assert "it is paid, 5.00 EUR are credit" in office.ok(*bank, "--reference", "statement 9", *WHY)
    assert office.run(*bank, "--reference", "statement 9", *WHY).exit_code == 3
    facts = office.read("dispute", "show", ref)
    assert (facts["status"], facts["decision"], facts["reopened_minor"]) == ("lost", "credit_note", 1190)
    assert {each["kind"] for each in facts["postings"]} == {"dispute_withdrawn", "dispute_lost"}
    assert {each["type"] for each in facts["events"]} == {
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    }
    assert [(each.action, each.after) for each in office.trail()] == [
        (
            "dispute.credit_note",
            {
                "amount_minor": 1190,
                "credit_note": "ACME-CN-000001",
                "decision": "credit_note",
                "written_off_minor": 0,
            },
        ),
        ("invoice.mark_paid", {"status": "paid", "repaid_minor": 0, "credited_minor": 500}),
    ]
    assert "No such dispute." in office.ok("dispute", "list", "--open")


def test_one_that_nobody_knows_is_refused(office: Office) -> None:
    result = office.run("dispute", "show", "du_none")
    assert (result.exit_code, "dispute_not_found" in result.stderr) == (3, True)


def test_an_invoice_whose_payment_was_charged_back_is_shown_as_owed_again(office: Office) -> None:
    def shown() -> list[tuple[str, int]]:
        rows = [*office.read("invoice", "list"), office.read("invoice", "show", "ACME-000001")]
        return [(each["status"], each["amount_charged_back_minor"]) for each in rows]

    ref = _dispute(office)
    assert shown() == [("paid", 0)] * 2, "nobody knows yet who is right"
    office.acme.witness.call("POST", f"disputes/{ref}/close", {"status": "lost"})
    office.acme.settle()
    assert shown() == [("paid", 1190)] * 2
    assert "paid, charged back" in office.ok("invoice", "list")
    told = office.ok("invoice", "show", "ACME-000001")
    assert "paid, charged back" in told
    assert re.search(r"amount charged back +11.90 EUR", told)
    bank = ("invoice", "mark-paid", "ACME-000001", "--amount", "190", "--reference", "statement 9")
    office.ok(*bank, *WHY)
    assert shown() == [("paid", 1000)] * 2, "a part was paid by bank"
    office.ok("dispute", "write-off", ref, *WHY)
    assert shown() == [("paid", 0)] * 2
    assert "charged back " not in office.ok("invoice", "list")
