"""A stack's own processes: each in a group of its own, found again by a pid file that proves which process it means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing.kernel.clock import format_instant
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import ROOT

STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: a name within the stack, the command, and its whole environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A living process. `since` is wall time, ISO 8601."""

    pid: int
    since: str


def launch(folder: Path, program: Program) -> None:
    """Start the program in the checkout's folder, in a session of its own.

    Its output goes to `<name>.log`; the last run's is kept beside it.
    """
    log = log_of(folder, program.name)
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(".log.1"))
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as output:
        child = subprocess.Popen(  # noqa: S603 (the command is made of our own words)
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=dict(program.env),
            start_new_session=True,
        )
    # It outlives this object on purpose; who started it reaps it in `_reap`.
    child.returncode = 0
    facts = {
        "pid": child.pid,
        "identity": _identity(child.pid),
        "since": format_instant(datetime.now(UTC).replace(microsecond=0)),
    }
    _pid_file(folder, program.name).write_text(json.dumps(facts))


def find(folder: Path, name: str) -> Found | None:
    """The process that was launched under this name, if it lives."""
    noted = _noted(folder, name)
    if noted is None or not noted["identity"]:
        return None
    _reap(noted["pid"])
    return Found(noted["pid"], noted["since"]) if _identity(noted["pid"]) == noted["identity"] else None


def stop(folder: Path, names: Iterable[str]) -> None:
    """End these in order, all at once: SIGTERM, and SIGKILL to what is left of their groups after `STOP_SECONDS`."""
    names = list(names)
    for name in names:
        found = find(folder, name)
        if found is not None:
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGTERM)
    wait_until(lambda: all(find(folder, name) is None for name in names), seconds=STOP_SECONDS)
    for name in names:
        kill(folder, name)


def kill(folder: Path, name: str) -> None:
    """End the whole group as an accident would, children left over by a dead leader too."""
    noted = _noted(folder, name)
    if noted is not None and _is_ours(noted):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(noted["pid"], signal.SIGKILL)
        wait_until(lambda: find(folder, name) is None, seconds=_KILL_SECONDS)
    _pid_file(folder, name).unlink(missing_ok=True)


def known(folder: Path) -> list[str]:
    """Names of all that was launched here and not stopped, by name."""
    return sorted(path.stem for path in folder.glob("*.pid"))


def log_of(folder: Path, name: str) -> Path:
    """Where the process of this name writes."""
    return folder / f"{name}.log"


def _is_ours(noted: Mapping[str, Any]) -> bool:
    # A process id in use as a group's is not given out again. So where the leader is gone, the group is ours or empty,
    # unless the machine was started anew.
    alive, boot = _identity(noted["pid"]), _boot()
    if alive is None:
        return bool(boot) and str(noted["identity"]).startswith(boot)
    return bool(alive == noted["identity"])


def _noted(folder: Path, name: str) -> dict[str, Any] | None:
    with suppress(FileNotFoundError, ValueError):
        noted: dict[str, Any] = json.loads(_pid_file(folder, name).read_text())
        return noted
    return None


def _pid_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.pid"


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _boot() -> str:
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def _identity(pid: int) -> str | None:
    """Boot and moment of its start, which no other process shares. None where it is gone or a zombie."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(  # noqa: S603 (a fixed program and a number)
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split(maxsplit=1)
        return listed[1].strip() if len(listed) == 2 and listed[0][0] != "Z" else None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{_boot()} {fields[19]}"
