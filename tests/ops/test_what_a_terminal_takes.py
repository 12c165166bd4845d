"""What is printed where standard output is not UTF-8: never a crash, and nothing lost."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.office import Office, office_of

NAME = "Łódź Büro 東京 😀 GmbH"
TAKEN = {"ascii": "utf-8", "latin-1": "latin-1", "utf-8": "utf-8"}
"""Nobody who has a terminal of today asks for ASCII: nothing was set, and click's own lines are UTF-8 then."""


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as made:
        made.acme.customer("ada", method=None)
        made.acme.subscribe("ada", "ada-basic")
        made.acme.settle()
        yield made


_EACH = """
import json, sys
from billing.__main__ import cli
for args in json.loads(sys.argv[1]):
    cli(args, prog_name="billing", standalone_mode=False)
    print(end="\\f")
"""


def printed(encoding: str, *commands: str) -> list[str]:
    """What a process of its own prints of each, told by the environment what its standard output takes."""
    done = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps([shlex.split(each) for each in commands])],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(TAKEN[encoding]).split("\f")


@pytest.mark.parametrize("encoding", TAKEN)
def test_tables_files_and_json_are_printed_whatever_standard_output_takes(office: Office, encoding: str) -> None:
    office.execute("UPDATE billing.seller SET legal_name = :name", name=NAME)
    office.ok("invoice", "mark-uncollectible", "ACME-000001", "--reason", NAME, "--by", "ada")
    seller, invoice, invoices, ledger, told, _ = printed(
        encoding,
        "seller show ACME",
        "invoice show ACME-000001",
        "invoice list",
        "ledger export --from 2026-01-01 --to 2026-12-31",
        "seller show ACME --json",
    )
    name = NAME.encode(TAKEN[encoding], "backslashreplace").decode(TAKEN[encoding])
    assert name in seller
    assert name in invoice
    assert "ACME-000001" in invoices
    assert "receivable" in ledger
    assert json.loads(told)["legal_name"] == NAME
