"""What a cycle stands on: a database with all tables and no rows, and a broker of the lane's own that may be hurt."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psycopg
import redis
from psycopg import sql
from sqlalchemy import make_url

from billing.db.migrate import upgrade
from billing.kernel.errors import Unavailable
from billing.sandbox.embedded import folders, valkey
from billing.sandbox.embedded.binaries import binaries_for
from billing.sandbox.environment import ROOT

_MIGRATIONS = Path(__file__).parents[2] / "db" / "migrations"
_PREFIX = "billing_crash"


class Databases(Protocol):
    """Gives out empty, migrated databases, by name."""

    def clone(self) -> str: ...

    def url_of(self, name: str) -> str: ...

    def drop(self, name: str) -> None: ...


class Templates:
    """Databases copied from a migrated template on the server at `address`.

    One run at a time uses a server; what a killed one left is dropped. Raises `Unavailable`.
    """

    def __init__(self, address: str) -> None:
        self._url = make_url(address).set(drivername="postgresql")
        self._connection = psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True)
        self._connection.execute("SET lock_timeout = '5s'")  # A session that was just closed may hold it for a moment.
        try:
            self._connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_PREFIX])
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable("another crash run uses this database server; wait for its end") from error
        self._connection.execute("RESET lock_timeout")
        self._template = f"{_PREFIX}_{_digest_of_migrations()}"
        names = self._connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_PREFIX])
        found = {name for (name,) in names.fetchall()}
        for name in found - {self._template}:
            self.drop(name)
        if self._template not in found:
            making = f"{_PREFIX}_{secrets.token_hex(4)}"
            self._run("CREATE DATABASE {}", making)
            upgrade(self.url_of(making))
            self._run("ALTER DATABASE {} RENAME TO {}", making, self._template)

    def clone(self) -> str:
        """The name of a new database."""
        name = f"{_PREFIX}_{secrets.token_hex(4)}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
        return name

    def url_of(self, name: str) -> str:
        """Its address, for SQLAlchemy."""
        return self._url.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        """Remove it, cutting whatever is still connected."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def keep_commits(self) -> None:
        """Let a commit that was answered survive an immediate stop: throw-away servers answer before they write."""
        self._connection.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = on")

    def close(self) -> None:
        self._connection.close()

    def _run(self, statement: str, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _digest_of_migrations() -> str:
    digest = hashlib.sha256()
    for path in sorted(_MIGRATIONS.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"t{digest.hexdigest()[:12]}"


@contextmanager
def database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database for the length of the block."""
    name = databases.clone()
    try:
        yield databases.url_of(name)
    finally:
        databases.drop(name)


class Broker:
    """A Valkey of one lane alone, which keeps nothing on disk: what a kill takes is gone.

    Its folder is the first that no living run has locked. A killed run loses its lock, and the next one its leftovers.
    """

    def __init__(self) -> None:
        self._folders, self._lock = _first_free()
        self._binaries = binaries_for(self._folders.account)
        self.thaw()
        self.kill()
        self.start()

    @property
    def url(self) -> str:
        """For Celery."""
        return f"redis+socket://{valkey.socket(self._folders)}?virtual_host=0"

    def start(self) -> None:
        """Start it, empty, if it is down."""
        valkey.start(self._folders, self._binaries, fast=True)

    def kill(self) -> None:
        """SIGKILL."""
        valkey.kill(self._folders)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget every message, those in workers' hands too."""
        with self._client() as client:
            client.flushall()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return valkey.socket(self._folders)

    def take(self, *queues: str) -> int:
        """Let every waiting message vanish; returns how many there were."""
        with self._client() as client:
            lost = sum(int(client.llen(queue)) for queue in queues)
            client.delete(*queues)
            return lost

    def push(self, queue: str, body: bytes) -> None:
        """Put these bytes where workers look for a message."""
        with self._client() as client:
            client.lpush(queue, body)

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the server."""
        with self._client() as client:
            client.config_set(name, value)

    def waiting(self, *queues: str) -> int:
        """Messages that no worker has taken yet."""
        with self._client() as client:
            return sum(int(client.llen(queue)) for queue in queues)

    def remove(self) -> None:
        """End it and delete its folder."""
        self.thaw()
        self.kill()
        folders.remove(self._folders)
        os.close(self._lock)

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(valkey.socket(self._folders)), socket_timeout=5)

    def _signal(self, number: signal.Signals) -> None:
        pid = valkey.pid(self._folders)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _first_free() -> tuple[folders.Folders, int]:
    for number in itertools.count(1):
        found = folders.folders_of(ROOT / ".stacks" / f"crash-{number}")
        folders.prepare(found)
        path = found.base / "taken"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removes the folder does so under this lock: the file may be gone by now.
            if path.lstat().st_ino == os.fstat(handle).st_ino:
                return found, handle
        os.close(handle)
    raise AssertionError("numbers never end")
