"""The processes of one lane, by name: forked warm, frozen, killed alone or with their whole group."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from billing.kernel.errors import BillingError
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import ROOT

_GONE_S = 10.0


class NurseryClosed(BillingError):
    """No process can be started any more."""


class Nursery:
    """The warm process and the way to it. Shared between lanes; closing it kills all that came of it."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "billing.sandbox.crash.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=kept | {"PYTHONUNBUFFERED": "1"},
            text=True,
            start_new_session=True,
        )

    def fork(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
        """The process id, and group, of what was started. Raises `NurseryClosed`."""
        order = {"argv": list(argv), "env": dict(env), "log": str(log), "cwd": str(ROOT)}
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        with self._lock, suppress(BrokenPipeError, ValueError):
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            answer = answers.readline()
            if answer:
                return int(answer)
        raise NurseryClosed("the nursery has ended; see above what it said")

    def close(self) -> None:
        """End it, and all that came of it."""
        with suppress(BrokenPipeError):
            self._process.communicate(timeout=_GONE_S)


@dataclass(frozen=True, slots=True)
class Living:
    """One started process. It leads a group of its own."""

    pid: int
    log: Path

    @property
    def alive(self) -> bool:
        return is_alive(self.pid)

    def kill(self) -> None:
        """SIGKILL to this process alone; its children are left behind."""
        end(self.pid)

    def kill_group(self) -> None:
        """SIGKILL to this process and all its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.alive, seconds=_GONE_S)

    def children(self) -> list[int]:
        """Process ids of its children, now."""
        listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = (line.split() for line in listed.stdout.splitlines())
        return [int(pid) for pid, parent in pairs if int(parent) == self.pid]


def is_alive(pid: int) -> bool:
    """Whether there is such a process. What the nursery forks leaves no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end(pid: int) -> None:
    """SIGKILL, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), seconds=_GONE_S)


def freeze(pid: int) -> None:
    """SIGSTOP."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """SIGCONT."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
