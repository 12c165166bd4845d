"""What is printed where standard output is not UTF-8: never a crash, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.office import Office, office_of

NAME = "Łódź Büro 東京 😀 GmbH"


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as made:
        made.acme.customer("ada", method=None)
        made.acme.subscribe("ada", "ada-basic")
        made.acme.settle()
        yield made


def printed(encoding: str, *args: str) -> bytes:
    """What a process of its own prints, told by the environment what its standard output takes."""
    done = subprocess.run(
        [sys.executable, "-m", "billing", *args],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_tables_files_and_json_are_printed_whatever_standard_output_takes(office: Office, encoding: str) -> None:
    office.execute("UPDATE billing.seller SET legal_name = :name", name=NAME)
    office.ok("invoice", "mark-uncollectible", "ACME-000001", "--reason", NAME, "--by", "ada")
    # Nobody who has a terminal of today asks for ASCII: nothing was set, and click's own lines are UTF-8 then.
    taken = {"ascii": "utf-8"}.get(encoding, encoding)
    name = NAME.encode(taken, "backslashreplace").decode(taken)
    assert name in printed(encoding, "seller", "show", "ACME").decode(taken)
    assert name in printed(encoding, "invoice", "show", "ACME-000001").decode(taken)
    assert "ACME-000001" in printed(encoding, "invoice", "list").decode(taken)
    year = ("--from", "2026-01-01", "--to", "2026-12-31")
    assert "receivable" in printed(encoding, "ledger", "export", *year).decode(taken)
    assert json.loads(printed(encoding, "seller", "show", "ACME", "--json"))["legal_name"] == NAME
