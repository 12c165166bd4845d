"""A reader who has gone, a full disk, a closed input, a deleted folder: neither findings nor faults of ours."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.office import Office, office_of

BILLING = str(Path(sys.executable).with_name("billing"))
TELLING = [
    "check",
    "audit --json",
    "invoice list",
    "ledger export --from 2026-01-01 --to 2026-12-31",
    "invoice --help",
    "--version",
]
"""One of each way to print: by the console, JSON, a table, CSV, and what click prints before any verb."""


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("BILLING_STACK", "none-of-these")
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as made:
        made.acme.customer("ada")
        made.acme.subscribe("ada", "ada-basic")
        made.acme.settle()
        yield made


def ends(line: str) -> subprocess.CompletedProcess[str]:
    """How a shell's line ends, `billing` in it, in a process of its own."""
    return subprocess.run(
        ["/bin/bash", "-c", line.replace("billing", shlex.quote(BILLING))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def nobody_reads() -> Iterator[int]:
    """A pipe whose reader has gone."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


def test_a_reader_that_has_gone_is_no_finding(office: Office, nobody_reads: int) -> None:
    for args in TELLING:
        done = subprocess.run(
            [BILLING, *shlex.split(args)],
            stdin=subprocess.DEVNULL,
            stdout=nobody_reads,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (args, done.returncode) == (args, 141), done.stderr
        said = [line for line in done.stderr.splitlines() if not line.startswith("invariants: ")]
        assert (args, said) == (args, []), "it ends in silence"
    both = subprocess.run([BILLING, "nosuch"], stdout=nobody_reads, stderr=nobody_reads, check=False)
    assert both.returncode == 141


def test_a_reader_that_has_read_enough_is_none_either(office: Office) -> None:
    done = ends("billing audit | head -1; echo ${PIPESTATUS[0]}")
    first, status = done.stdout.splitlines()
    assert (first.rstrip(), status) in (("Audit", "0"), ("Audit", "141"))


def test_what_does_not_fit_on_a_disk_is_said_in_one_sentence(office: Office) -> None:
    for args in TELLING:
        done = ends(f"billing {args} > /dev/full")
        said = [line for line in done.stderr.splitlines() if not line.startswith("invariants: ")]
        assert (args, done.returncode, len(said)) == (args, 4, 1), done.stderr
        assert said[0].startswith("billing: output: not_written — not all could be written (No space left on device)")
    unsaid = ends("PYTHONUNBUFFERED=1 billing invoice list > /dev/full; echo $?; billing nosuch 2> /dev/full; echo $?")
    assert unsaid.stdout.split() == ["4", "4"]


def test_a_closed_input_is_refused_where_it_is_read_and_nowhere_else(office: Office) -> None:
    for args in ("usage record - --reason x", "shell"):
        done = ends(f"billing {args} <&-")
        assert (args, done.returncode, "Traceback" in done.stderr) == (args, 3, False)
        told = "billing: input: input_closed — standard input is closed; give it something to read, such as /dev/null"
        assert done.stderr.splitlines()[-1] == told
    assert ends("billing invoice list <&-").returncode == 0
    assert ends("billing shell < /dev/null").returncode == 0


def test_without_outputs_a_command_does_what_it_does(office: Office) -> None:
    for args in ("invoice list --json", "ledger export --from 2026-01-01 --to 2026-12-31", "audit --json"):
        done = ends(f"billing {args} >&-")
        assert (args, done.returncode, "not have happened" in done.stderr) == (args, 0, False), done.stderr
    assert ends("billing invoice list <&- >&- 2>&-").returncode == 0


def test_a_folder_that_is_gone_is_said(office: Office, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for args in ("check", "invoice list", "clock show"):
        done = ends(f"cd {gone} && rmdir {gone} && billing {args}; status=$?; mkdir {gone}; exit $status")
        assert (args, done.returncode, done.stdout) == (args, 3, "")
        told = "billing: folder: folder_gone — the folder that you are in is deleted; go to another"
        assert [line for line in done.stderr.splitlines() if not line.startswith("sh: ")] == [told]
