"""Forks processes from one that has imported their libraries: a cold start costs seconds, a fork nearly nothing.

Orders come as lines of JSON on the standard input, each is answered with the new process's id. What a fork becomes is
what the command line would start: Celery's, waitress's or our own entry point, with the environment, folder and log
of the order. When the input ends, because who gave the orders has ended or was killed, every process group is killed.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import waitress.runner  # type: ignore[import-untyped]
from celery.__main__ import main as run_celery

from billing.kernel.failpoints import read_environment

_WARM = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "kombu.transport.redis",
    "billing.flows.start",
    "billing.sandbox.environment",
    "billing.tasks",
    "billing.webhooks.app",
    "billing.wiring",
)
"""What every fork would import first. None of it reads the environment as it is imported."""


def main() -> None:
    """Take orders until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _WARM:
        import_module(name)
    groups: list[int] = []
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            become(order)
            return
        groups.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def become(order: dict[str, Any]) -> None:
    """Be the process that was ordered, in a session of its own; returns when it ends in order."""
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    _set_clock(float(order["env"].get("BILLING_CLOCK_OFFSET_S", 0)))
    read_environment()
    os.chdir(order["cwd"])
    sys.path.insert(0, order["cwd"])
    sys.argv = order["argv"]
    match Path(sys.argv[0]).name:
        case "celery":
            run_celery()
        case "billing":
            runpy.run_module("billing", run_name="__main__")
        case _:
            waitress.runner.run(sys.argv)


def _set_clock(offset_s: float) -> None:
    """Let this process read the time of day wrong by so much, wherever a module took the clock's functions from."""
    if not offset_s:
        return
    seconds, nanoseconds = time.time, time.time_ns
    wrong = {seconds: lambda: seconds() + offset_s, nanoseconds: lambda: nanoseconds() + int(offset_s * 10**9)}
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is seconds or value is nanoseconds:
                setattr(module, name, wrong[value])


if __name__ == "__main__":
    main()
