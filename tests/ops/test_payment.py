"""`billing payment list`, and what `billing check` tells of attempts whose outcome nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.flows.company import START
from tests.ops.office import Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def _lines(office: Office) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = json.loads(office.run("check", "--json").stdout)["lines"]
    return lines


@pytest.fixture
def stuck(office: Office) -> Office:
    """Three customers who were charged; of what was asked of the first bank nobody has heard for two hours."""
    for code in ("a1", "a2", "a3"):
        office.acme.customer(code)
        office.acme.subscribe(code, f"s-{code}")
    office.acme.settle()
    office.execute(
        "UPDATE billing.payment p SET status = 'unknown', closed_at = NULL, first_sent_at = :at "
        "FROM billing.profile f WHERE f.id = p.profile_id AND f.account_id = 'a1'",
        at=START - timedelta(hours=2, minutes=5),
    )
    return office


def test_attempts_are_listed_newest_first_by_state_customer_and_invoice(stuck: Office) -> None:
    ids = sorted((str(each.id) for each in stuck.acme.payments()), reverse=True)
    rows = stuck.read("payment", "list")
    assert [row["id"] for row in rows] == ids
    (row,) = stuck.read("payment", "list", "--status", "unknown")
    assert (row["account_id"], row["status"], row["amount_minor"], row["currency"]) == ("a1", "unknown", 1190, "eur")
    assert row["first_sent_at"] == "2026-01-30T21:55:00Z"
    assert stuck.read("payment", "list", "--customer", "a1") == [row]
    assert stuck.read("payment", "list", "--invoice", row["invoice"]) == [row]
    assert stuck.read("payment", "list", "--invoice", row["invoice"], "--status", "succeeded") == []
    told = stuck.ok("payment", "list", "--status", "unknown")
    assert row["id"] in told
    assert "11.90 EUR" in told
    assert "No such attempt." in stuck.ok("payment", "list", "--status", "declined")


def test_a_page_says_where_the_next_begins_and_who_is_not_there_is_refused(stuck: Office) -> None:
    ids = sorted((str(each.id) for each in stuck.acme.payments()), reverse=True)
    first = stuck.run("payment", "list", "--limit", "2", "--json")
    assert f"--before {ids[1]}" in first.stderr
    assert [row["id"] for row in stuck.read("payment", "list", "--limit", "2", "--before", ids[1])] == ids[2:]
    for filters, code in (("--customer", "profile_not_found"), ("--invoice", "invoice_not_found")):
        refused = stuck.run("payment", "list", filters, "nobody")
        assert (refused.exit_code, code in refused.stderr) == (3, True)


def test_check_tells_how_many_attempts_are_unknown_and_for_how_long(stuck: Office) -> None:
    def told() -> dict[str, str]:
        (line,) = (each for each in _lines(stuck) if each["name"] == "attempts of unknown outcome")
        return line

    line = told()
    assert line["state"] == "note"
    assert line["told"] == "1, the oldest sent 2 h 5 min ago; see `billing payment list --status unknown`"
    stuck.execute("UPDATE billing.payment SET status = 'succeeded', closed_at = opened_at")
    assert (told()["state"], told()["told"]) == ("ok", "none")
