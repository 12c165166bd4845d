"""Failpoints: each fires where, how and as often as asked for, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from billing.kernel.failpoints import failpoint
for number in range(3):
    failpoint("a.first")
    failpoint("a.second")
print("through")
"""


def _run(**asked: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **{f"BILLING_FAILPOINTS{name}": value for name, value in asked.items()}}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_without_a_wish_nothing_happens() -> None:
    done = _run()
    assert (done.returncode, done.stdout) == (0, "through\n")


def test_the_hit_that_was_asked_for_kills_and_the_trace_shows_what_was_passed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = _run(**{"": "a.second=kill@2", "_TRACE": str(trace)})
    assert done.returncode == -signal.SIGKILL
    assert trace.read_text().split() == ["a.first", "a.second", "a.first", "a.second"]


def test_a_fault_that_is_to_happen_once_leaves_its_mark_and_spares_the_next_process(tmp_path: Path) -> None:
    wish = {"": "a.first=kill", "_ONCE": str(tmp_path)}
    assert _run(**wish).returncode == -signal.SIGKILL
    assert int((tmp_path / "a.first").read_text()) > 0
    assert _run(**wish).stdout == "through\n"


def test_raising_names_the_point() -> None:
    done = _run(**{"": "a.first=raise@*"})
    assert done.returncode == 1
    assert "FailpointError: a.first" in done.stderr
