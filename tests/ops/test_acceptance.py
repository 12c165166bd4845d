"""`billing work accept` and `billing acceptance`, beside what `billing audit` prints of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.found import add_to, finding, untrue_invoice
from tests.ops.office import WHY, Office, office_of

AUDIT = ("audit", "--no-broker")


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_a_finding_is_accepted_told_apart_with_status_0_and_revoked(office: Office) -> None:
    untrue_invoice(office.acme)
    assert office.run(*AUDIT).exit_code == 1
    item = str(finding(office.acme).id)
    shown = json.loads(office.ok("work", "show", item, "--json"))
    assert {each["code"] for each in shown["findings"]} == {"L4"}
    assert "accept" in shown["safe_actions"]
    assert "accepted, in just these words: L4: " in office.ok("work", "accept", item, *WHY)
    assert office.run("work", "accept", item, *WHY).stdout.count("it is accepted already") == 1

    told = office.run(*AUDIT)
    assert told.exit_code == 0
    assert "invariants hold, beside 2 findings that were accepted." in told.stdout
    assert told.stdout.count("(accepted by ada, ") == 2
    assert ": the cause is mended)" in told.stdout
    report = json.loads(office.run(*AUDIT, "--json").stdout)
    assert (report["broken"], report["violations"]) == (False, [])
    assert {each["violation"]["code"] for each in report["accepted"]} == {"L4"}
    assert sum(each["accepted"] for each in report["checked"]) == 2

    held = office.read("acceptance", "list", "--code", "L4", "--state", "in_force")
    assert {row["reason"] for row in held} == {"the cause is mended"}
    assert office.read("acceptance", "list", "--code", "P1") == []
    for row in held:
        assert "accuses it again" in office.ok("acceptance", "revoke", row["id"], *WHY)
        after = json.loads(office.ok("acceptance", "show", row["id"], "--json"))
        assert (after["state"], after["revoked_by"]) == ("revoked", "ada")
        assert [each["action"] for each in after["audit_trail"]][-1:] == ["acceptance.revoke"]
    assert office.run(*AUDIT).exit_code == 1


def test_what_is_not_found_any_more_or_was_never_accepted_is_refused(office: Office) -> None:
    invoice_id = untrue_invoice(office.acme)
    office.run(*AUDIT)
    item = str(finding(office.acme).id)
    add_to(office.acme, invoice_id, -1)
    office.run(*AUDIT)
    assert "accepted" in office.ok("work", "accept", item, *WHY, "--dry-run"), "in the words of now"
    add_to(office.acme, invoice_id, 2)
    assert office.run(*AUDIT).exit_code == 0
    refused = office.run("work", "accept", item, *WHY)
    assert (refused.exit_code, "finding_not_standing" in refused.stderr) == (3, True)
    unknown = office.run("acceptance", "revoke", item, *WHY)
    assert (unknown.exit_code, "acceptance_not_found" in unknown.stderr) == (3, True)
    assert office.run("acceptance", "show", item).exit_code == 3
