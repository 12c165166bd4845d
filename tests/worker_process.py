"""A real Celery worker of this code, or of another release's, in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from billing.settings import Settings

ROOT = Path(__file__).parents[1]
_OTHERS = ("STRIPE_", "BILLING_")
"""What the environment of whoever runs the tests may hold, and must not reach it."""


@contextmanager
def worker_process(
    name: str, settings: Settings, log: Path, *, folder: Path = ROOT, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Started in `folder`, told these settings and what is `more`, saying what it does to `log`; killed at the end."""
    argv = ["celery", "-A", "worker", "worker", "-c", "1", "-n", name, "--without-gossip", "--without-mingle"]
    with process(argv, settings, log, folder=folder, **more) as worker:
        yield worker


@contextmanager
def process(
    argv: Sequence[str], settings: Settings, log: Path, *, folder: Path = ROOT, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Any process of the engine, by module and arguments; else as `worker_process`."""
    assert settings.billing_secret_key is not None
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)}
    environment = kept | {
        "DATABASE_URL": settings.database_url or "",
        "BROKER_URL": settings.broker_url or "",
        "STRIPE_API_KEY": settings.stripe_keys["default"],
        "STRIPE_API_BASE": settings.stripe_api_base or "",
        "BILLING_SECRET_KEY": settings.billing_secret_key.get_secret_value(),
        "BILLING_SANDBOX": "1",
        "PYTHONPATH": str(folder),
        **more,
    }
    with log.open("wb") as said:
        worker = subprocess.Popen(
            [sys.executable, "-m", *argv], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield worker
    finally:
        kill_group(worker)


def kill_group(worker: subprocess.Popen[bytes]) -> None:
    """SIGKILL to it and to its children, unless it has ended."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
