"""The page for finance people: its commands, one after another, close the month of a company that was billed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.flows import movements
from tests.ops.office import Office, office_of

PAGE = (Path(__file__).parents[2] / "docs" / "close-the-month.md").read_text()
BLOCKS = re.findall(r"^```sh(?: run)?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("billing ")]


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_the_commands_of_the_page_close_a_month(office: Office) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    movements.sweep(acme.parts)
    acme.set_clock(datetime(2026, 2, 3, tzinfo=UTC))
    (payout,) = acme.witness.call("POST", "payouts", {})
    movements.sweep(acme.parts)
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        office.ok(*shlex.split(command.replace("po_1", payout["id"]))[1:])
    assert "is closed already" in office.ok("ledger", "close", "2026-01")
    exported = (Path.cwd() / "january.csv").read_text().splitlines()
    assert exported[0].startswith("date,entry,kind")
    assert {line.split(",")[2] for line in exported[1:]} >= {"issue", "payment"}
