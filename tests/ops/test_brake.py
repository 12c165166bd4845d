"""`billing collect` and `billing issue`, as an operator gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_stop_is_shown_by_check_and_by_its_work_item_and_start_ends_it(office: Office) -> None:
    assert ": stopped" in office.ok("collect", "stop", *WHY)
    assert office.ok("issue", "stop", "--seller", "ACME", *WHY).startswith("seller ACME")
    assert "it is stopped already, by ada" in office.ok("collect", "stop", *WHY)
    told = office.run("check").stdout
    assert "collect brake" in told
    assert "stopped for everything since 2026-01-31T00:00:00Z by ada: the cause is mended" in told
    assert "stopped for seller ACME" in told
    assert [row["kind"] for row in office.read("work", "list")] == ["issuing_stopped", "collecting_stopped"]

    assert "started; the next sweep catches up" in office.ok("collect", "start", *WHY)
    assert office.waiting_in("charges") == 1
    assert office.ok("collect", "start", *WHY) == "everything: it is not stopped; nothing was changed\n"
    profile = office.acme.customer("a1")
    (nothing,) = office.read("collect", "start", "--customer", "a1", *WHY)
    assert (nothing["changed"], nothing["subject_id"]) == (False, str(profile)), "the customer's, and not the seller's"
    (item,) = office.read("work", "list")
    assert "started again" in office.ok("work", "retry", item["id"], *WHY)
    office.settle()
    assert office.read("work", "list") == []
    assert [row.action for row in office.trail()] == [
        "collect.stop", "issue.stop", "collect.start", "work.retry",
    ]  # fmt: skip


def test_one_scope_at_a_time_and_only_what_exists(office: Office) -> None:
    assert office.run("collect", "stop", "--seller", "ACME", "--customer", "a1", *WHY).exit_code == 2
    unknown = office.run("issue", "stop", "--customer", "nobody", *WHY)
    assert (unknown.exit_code, "profile_not_found" in unknown.stderr) == (3, True)
