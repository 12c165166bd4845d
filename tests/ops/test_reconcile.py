"""`billing reconcile`, as an operator calls it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_both_sides_agree_or_each_difference_is_told_with_what_may_be_done(office: Office) -> None:
    acme = office.acme
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert "Both sides agree." in office.ok("reconcile")

    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.pay_behind_our_back(profile)
    result = office.run("reconcile", "--since", "2026-01-01")
    assert result.exit_code == 1
    assert "charge_without_attempt" in result.stdout
    assert "differences stand" in result.stdout
    facts = office.run("reconcile", "--json")
    assert facts.exit_code == 1
    (item,) = office.read("work", "list")
    assert item["safe_actions"] == ["adopt", "park"]
    assert item["error"].endswith(", succeeded, of 11.90 EUR; we have no attempt for it"), "as the amount beside it"
    assert "it is the payment of invoice ACME-000001" in office.ok("work", "adopt", item["id"], *WHY)
    assert [(row.action, row.reason) for row in office.trail()] == [("work.adopt", WHY[1])]
    assert "Both sides agree." in office.ok("reconcile")
    assert office.run("reconcile", "--after-restore").exit_code == 2
    assert "Adopted 0 charges" in office.ok("reconcile", "--after-restore", "--reason", "the nightly copy")


@pytest.mark.parametrize(
    "command", [("reconcile",), ("events", "backfill"), ("reconcile", "--after-restore", *WHY[:2])]
)
def test_what_is_asked_for_from_a_day_to_come_is_refused_and_nothing_is_done(
    office: Office, command: tuple[str, ...]
) -> None:
    refused = office.run(*command, "--since", "2099-01-01")
    assert (refused.exit_code, refused.stderr.startswith("billing: since: in_the_future")) == (3, True), refused.stderr
    assert office.trail() == []
    assert "Both sides agree." in office.ok("reconcile")


def test_a_healing_that_would_not_see_all_since_the_copy_is_refused(office: Office) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(acme.now() + timedelta(days=3))
    refused = office.run(
        "reconcile", "--after-restore", *WHY[:2], "--since", f"{acme.now() - timedelta(days=1):%Y-%m-%d}"
    )
    assert (refused.exit_code, refused.stderr.startswith("billing: since: after_the_copy")) == (3, True), refused.stderr
    assert office.trail() == []
    assert "Adopted 0 charges" in office.ok("reconcile", "--after-restore", *WHY[:2], "--since", "2026-01-01")
