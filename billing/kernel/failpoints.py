"""Named failpoints: places where a fault may be asked for. While nothing is asked for, one costs the look-up of a flag.

`BILLING_FAILPOINTS="charge.frozen=kill@2,renewals.commit=raise@1"`: at the n-th hit in this process (default 1; `*`
every hit) `kill` ends it as SIGKILL does, `stop` freezes it as SIGSTOP does, `raise` raises `FailpointError`. With
`BILLING_FAILPOINTS_ONCE=DIR` each entry fires once over all processes: the first to hit it leaves a file there, with
its process id. `BILLING_FAILPOINTS_TRACE=FILE` appends the name of every failpoint that is passed, a line each.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class FailpointError(RuntimeError):
    """What `raise` raises."""


@dataclass(slots=True)
class _Plan:
    """What was asked for, and how often each point was hit in this process."""

    faults: dict[str, tuple[str, str]]
    once: str | None
    trace: str | None
    hits: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> _Plan | None:
        text, trace = environ.get("BILLING_FAILPOINTS", ""), environ.get("BILLING_FAILPOINTS_TRACE")
        if not (text or trace):
            return None
        return cls(_parse(text), environ.get("BILLING_FAILPOINTS_ONCE"), trace)


def _parse(text: str) -> dict[str, tuple[str, str]]:
    faults: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, action = entry.partition("=")
        verb, _, hit = action.partition("@")
        faults[name] = (verb, hit or "1")
    return faults


_plan = _Plan.of(os.environ)


def read_environment() -> None:
    """Read what is asked for anew: for a process that was forked and given an environment of its own."""
    global _plan  # noqa: PLW0603 (one plan a process, read at import)
    _plan = _Plan.of(os.environ)


def failpoint(name: str) -> None:
    """Do what was asked for at this place, if anything."""
    if _plan is not None:
        _hit(_plan, name)


def _hit(plan: _Plan, name: str) -> None:
    if plan.trace:
        _append(plan.trace, name)
    if name not in plan.faults:
        return
    verb, wanted = plan.faults[name]
    plan.hits[name] += 1
    if wanted != "*" and plan.hits[name] != int(wanted):
        return
    if plan.once and not _is_first(Path(plan.once) / name):
        return
    if verb == "raise":
        raise FailpointError(name)
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[verb])


def _append(path: str, name: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, f"{name}\n".encode())
    finally:
        os.close(handle)


def _is_first(mark: Path) -> bool:
    try:
        handle = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    os.write(handle, f"{os.getpid()}\n".encode())
    os.close(handle)
    return True
