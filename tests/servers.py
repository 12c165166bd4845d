"""The servers behind the tests: one embedded pair per checkout, shared by concurrent runs, or those of the environment.

Who uses something holds a lock on it (a file lock on the servers, an advisory lock on databases and broker numbers).
A killed run loses its locks with its process, so the next run sees what was left over, and clears it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from billing.db.migrate import upgrade
from billing.sandbox.embedded import Embedded, folders, running, start
from billing.sandbox.emptying import Shape, cut_off, empty
from tests import shelf

ROOT = Path(__file__).parent
MIGRATIONS = ROOT.parent / "billing" / "db" / "migrations"
PREFIX = "billing_test"
SETUP = "setup"
_END = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"


@dataclass(frozen=True, slots=True)
class Servers:
    database_url: str
    broker_url: str
    embedded: Embedded | None


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """The addresses of both servers, started if the environment names none."""
    database_url, broker_url = os.environ.get("DATABASE_URL"), os.environ.get("BROKER_URL")
    if database_url and broker_url:
        yield Servers(database_url, broker_url, None)
        return
    with _users_lock() as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _throw_away_after_a_crash()
        except BlockingIOError:
            fcntl.flock(users, fcntl.LOCK_SH)
        embedded = start(ROOT, fast=True, lasting=False)
        fcntl.flock(users, fcntl.LOCK_SH)
        yield Servers(database_url or embedded.database_url, broker_url or embedded.broker_url, embedded)
    stop_if_unused(patience_s=0)


def stop_if_unused(*, patience_s: float) -> None:
    """Stops the tests' embedded servers unless another run uses them; waits so long for one that is ending."""
    if not folders.folders_of(ROOT, lasting=False).base.is_dir():
        return
    deadline = time.monotonic() + patience_s
    with _users_lock() as users:
        while True:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)
            else:
                Embedded(folders=folders.folders_of(ROOT, lasting=False), started=False, fast=True).stop()
                return


@contextlib.contextmanager
def _users_lock() -> Iterator[int]:
    place = folders.folders_of(ROOT, lasting=False)
    with folders.locked(place):
        handle = os.open(place.base / "users", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _throw_away_after_a_crash() -> None:
    # The tests' cluster runs without fsync: one that wasn't shut down in order is not worth mending.
    data = folders.folders_of(ROOT, lasting=False).data
    if running(ROOT) is None and data.joinpath("postmaster.pid").exists():
        Embedded(folders=folders.folders_of(ROOT, lasting=False), started=False, fast=True).stop()
        shutil.rmtree(data, ignore_errors=True)


class Databases:
    """Databases for one test each: file copies of a migrated template (20 ms), emptied (4 ms) and lent again."""

    def __init__(self, address: str, *, keep_template: bool) -> None:
        self._url = make_url(address).set(drivername="postgresql")
        self._connection = psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True)
        self._keep_template = keep_template
        self._token = secrets.token_hex(4)
        self._digest = _digest_of_migrations()
        self._template = f"{PREFIX}_{self._digest}"
        self._made = 0
        self._free: list[str] = []
        self._shape: Shape | None = None
        # To leave triggers and foreign keys out is a superuser's.
        self._empties = self._connection.execute("SHOW is_superuser").fetchone() == ("on",)
        self._try_lock(self._token)
        self._connection.execute("SELECT pg_advisory_lock_shared(%s)", [_key(self._digest)])
        self._connection.execute("SELECT pg_advisory_lock(%s)", [_key(SETUP)])
        try:
            self._drop_leftovers()
            self._make_template()
        finally:
            self._unlock(SETUP)

    def lend(self) -> str:
        """The name of a database with all tables and no rows: one that was taken back, or a new one."""
        if self._free:
            return self._free.pop()
        name = self.clone()
        shelf.keep(name)
        if self._empties and self._shape is None:
            with self.at(name) as connection:
                self._shape = Shape.of(connection)
        return name

    def take_back(self, name: str) -> None:
        """Empty it for the next, or remove it where that can't make it like new."""
        if self._is_like_new(name):
            self._free.append(name)
        else:
            self.drop(name)

    def _is_like_new(self, name: str) -> bool:
        if self._shape is None:
            return False
        try:
            with self.at(name) as connection:
                cut_off(connection, kept=shelf.sessions_of(name))
                return empty(connection, self._shape)
        except psycopg.Error:
            return False

    @contextlib.contextmanager
    def at(self, name: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection to this database, in autocommit."""
        connection = shelf.take(conninfo_to_dict(self._plain_url_of(name)))
        connection.autocommit = True
        try:
            yield connection
        finally:
            shelf.put_back(connection)

    def clone(self, of: str | None = None) -> str:
        """The name of a new database with all tables and no rows, or a copy `of` one that nobody uses."""
        if of is not None:
            self._clear(of)
        self._made += 1
        name = f"{PREFIX}_{self._token}_{self._made}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, of or self._template)
        return name

    def url_of(self, name: str) -> str:
        """The address of a database on this server, for SQLAlchemy."""
        return self._url.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)

    def _plain_url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        """Removes a database, cutting whatever is still connected to it."""
        self._clear(name)
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _clear(self, name: str) -> None:
        shelf.close(name)
        # Who is still there is waited for: the server itself looks again after a tenth of a second only.
        self._connection.execute(_END, [name])

    def broker_number(self) -> int:
        """A database number of the broker that no other run uses while this one lasts (a stock Redis has 0 to 15)."""
        number = next((number for number in range(1, 16) if self._try_lock(f"broker {number}")), None)
        assert number is not None, "all 15 broker databases are used by other test runs"
        return number

    def close(self) -> None:
        """Removes what this run made; the template stays only where it may be found again."""
        while self._free:
            self.drop(self._free.pop())
        if not self._keep_template:
            self._connection.execute("SELECT pg_advisory_unlock_shared(%s)", [_key(self._digest)])
            if self._try_lock(self._digest):
                self.drop(self._template)
        self._connection.close()

    def _make_template(self) -> None:
        if self._connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._template]).fetchone():
            return
        making = f"{PREFIX}_{self._token}_template"
        self._run("CREATE DATABASE {}", making)
        upgrade(self.url_of(making))
        # Who is the first after a change of tables writes down what the server's own look like, and copies have it too.
        psycopg.connect(self._plain_url_of(making)).close()
        self._run("ALTER DATABASE {} RENAME TO {}", making, self._template)

    def _drop_leftovers(self) -> None:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        for (name,) in self._connection.execute(query, [f"{PREFIX}_"]).fetchall():
            owner = name.split("_")[2]
            if owner not in {self._token, self._digest} and self._try_lock(owner):
                self.drop(name)
                self._unlock(owner)

    def _try_lock(self, name: str) -> bool:
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(name)]).fetchone()
        return row is not None and bool(row[0])

    def _unlock(self, name: str) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(%s)", [_key(name)])

    def _run(self, statement: str, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def with_broker_number(address: str, number: int) -> str:
    """The broker's address with another database number."""
    if address.startswith("redis+socket:"):
        return f"{address.partition('?')[0]}?virtual_host={number}"
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{number}"


def empty_broker(address: str) -> None:
    """Removes every message and result in this database number."""
    plain = address.replace("redis+socket:", "unix:").replace("virtual_host=", "db=")
    with redis.Redis.from_url(plain) as client:
        client.flushdb()


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{PREFIX} {name}".encode()).digest()[:8], signed=True)


def _digest_of_migrations() -> str:
    digest = hashlib.sha256()
    for path in sorted(MIGRATIONS.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"t{digest.hexdigest()[:12]}"
