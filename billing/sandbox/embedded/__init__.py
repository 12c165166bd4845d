"""The embedded default: PostgreSQL and Valkey from wheels, started, found and stopped by our own thin launcher."""

from __future__ import annotations

import atexit
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from billing.sandbox.embedded import folders as places
from billing.sandbox.embedded import postgres, valkey
from billing.sandbox.embedded.binaries import binaries_for
from billing.sandbox.embedded.folders import EmbeddedUnavailable, Folders

__all__ = ["Embedded", "EmbeddedUnavailable", "running", "start"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running pair of servers. `started` says whether this call started one of them, or found both running."""

    folders: Folders
    started: bool
    fast: bool

    @property
    def database_url(self) -> str:
        """The database's address for SQLAlchemy."""
        return self.dsn.replace("postgresql:", "postgresql+psycopg:", 1)

    @property
    def dsn(self) -> str:
        """The same address as psycopg takes it."""
        return postgres.dsn(self.folders)

    @property
    def broker_url(self) -> str:
        """The broker's address for Celery, as broker and as result store."""
        return f"redis+socket://{valkey.socket(self.folders)}?virtual_host=0"

    @property
    def postgres_pid(self) -> int | None:
        """The postmaster's process id, or None while it is down."""
        return postgres.pid(self.folders)

    @property
    def valkey_pid(self) -> int | None:
        """The broker's process id, or None while it is down."""
        return valkey.pid(self.folders)

    def stop(self) -> None:
        """Stops both servers in order; their data stay. May be called again."""
        with places.locked(self.folders):
            _stop(self.folders)

    def remove(self) -> None:
        """Stops both servers and deletes their data."""
        with places.locked(self.folders):
            _stop(self.folders)
            places.remove(self.folders)

    def kill_postgres(self, *, immediate: bool = True) -> None:
        """For fault tests: the database crashes. See `postgres.kill`; `restart` brings it back."""
        postgres.kill(self.folders, immediate=immediate)

    def kill_valkey(self) -> None:
        """For fault tests: the broker gets SIGKILL; `restart` brings it back."""
        valkey.kill(self.folders)

    def restart(self) -> None:
        """Starts again whichever of the two is down, with the same addresses."""
        with places.locked(self.folders):
            _start(self.folders, fast=self.fast)


def start(root: Path, *, fast: bool = False, keep: bool = True, lasting: bool = True) -> Embedded:
    """Starts the servers that belong to the checkout `root`, or finds them running. Data are kept between runs.

    `fast`: for clusters that can be thrown away: no fsync, no persistence of the queue; not `lasting`: in memory, where
    that is to be had. `keep`: the servers outlive this process; otherwise what this call started is stopped when the
    process ends, by SIGTERM and SIGHUP too.
    Safe to call from several processes at once. Raises `EmbeddedUnavailable` with one sentence that says what to do.
    """
    folders = places.folders_of(root, lasting=lasting)
    with places.locked(folders):
        started = _start(folders, fast=fast)
    embedded = Embedded(folders=folders, started=started, fast=fast)
    if started and not keep:
        _stop_with_this_process(embedded)
    return embedded


def running(root: Path) -> Embedded | None:
    """The servers of the checkout `root` if both are running, else None. Starts nothing."""
    folders = places.folders_of(root)
    if postgres.pid(folders) is None or valkey.pid(folders) is None:
        return None
    return Embedded(folders=folders, started=False, fast=False)


def _start(folders: Folders, *, fast: bool) -> bool:
    places.prepare(folders)
    binaries = binaries_for(folders.account)
    return any([postgres.start(folders, binaries, fast=fast), valkey.start(folders, binaries, fast=fast)])


def _stop(folders: Folders) -> None:
    valkey.stop(folders)
    postgres.stop(folders, binaries_for(folders.account))


def _stop_with_this_process(embedded: Embedded) -> None:
    owner = os.getpid()

    def stop() -> None:
        # A forked child inherits the handlers, and must not stop the servers of its parent.
        if os.getpid() == owner:
            embedded.stop()

    atexit.register(stop)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        before = signal.getsignal(signum)

        def stop_and_pass_on(number: int, _frame: FrameType | None, before: signal._HANDLER = before) -> None:
            stop()
            signal.signal(number, before)
            os.kill(os.getpid(), number)

        signal.signal(signum, stop_and_pass_on)
