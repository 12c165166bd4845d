"""Named failpoints: places where a fault may be asked for. Without `BILLING_FAILPOINTS` they cost one look-up of a flag.

`BILLING_FAILPOINTS="charge.frozen=kill@2,renewals.commit=raise@1"`: at the n-th hit in this process (default 1; `*` every
hit) `kill` ends it as SIGKILL does, `stop` freezes it as SIGSTOP does, `raise` raises `FailpointError`. With
`BILLING_FAILPOINTS_ONCE=DIR` each entry fires once over all processes: the first to hit it leaves a file there.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path


class FailpointError(RuntimeError):
    """What `raise` raises."""


def _parse(text: str) -> dict[str, tuple[str, str]]:
    plan: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, action = entry.partition("=")
        verb, _, hit = action.partition("@")
        plan[name] = (verb, hit or "1")
    return plan


_plan = _parse(os.environ.get("BILLING_FAILPOINTS", ""))
_once = os.environ.get("BILLING_FAILPOINTS_ONCE")
_hits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Do what was asked for at this place, if anything."""
    if _plan:
        _hit(name)


def _hit(name: str) -> None:
    if name not in _plan:
        return
    verb, wanted = _plan[name]
    _hits[name] += 1
    if wanted != "*" and _hits[name] != int(wanted):
        return
    if _once and not _first(name):
        return
    if verb == "raise":
        raise FailpointError(name)
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[verb])


def _first(name: str) -> bool:
    try:
        (Path(_once or ".") / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
