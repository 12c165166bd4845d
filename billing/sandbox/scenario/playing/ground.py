"""Scratch databases for one run of `simulate`: copies of a migrated template, gone when it ends."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Engine, make_url

import billing.db
from billing.sandbox.embedded import start
from billing.sandbox.emptying import Shape, empty
from billing.sandbox.environment import SIMULATE, place_of

_PREFIX = "billing_simulate"
_WAITS_MS = 2000
"""For rows that somebody else holds: a database that can't be emptied by then is removed."""
_MIGRATIONS = Path(billing.db.__file__).parent / "migrations" / "versions"


class Scratch:
    """A scratch database, and the sessions at it: they outlive a play, and with them the plans of its statements."""

    def __init__(self, name: str, address: URL, *, empties: bool) -> None:
        self.name = name
        self.address = address
        self._cleaner: psycopg.Connection[Any] | None = None
        if empties:
            options = f"-c lock_timeout={_WAITS_MS}"
            self._cleaner = psycopg.connect(_told(address), autocommit=True, options=options)
            self._shape = Shape.of(self._cleaner)

    @cached_property
    def engine(self) -> Engine:
        from billing.sandbox.scenario.playing.stage import engine_of  # noqa: PLC0415 (slow: copied meanwhile)

        return engine_of(_told(self.address.set(drivername="postgresql+psycopg")))

    def is_like_new(self) -> bool:
        """Remove the rows of what was played on it. False where that is not all."""
        try:
            return self._cleaner is not None and empty(self._cleaner, self._shape)
        except psycopg.Error:
            return False

    def close(self) -> None:
        if self._cleaner is not None:
            self._cleaner.close()
        if "engine" in self.__dict__:
            self.engine.dispose()


class Ground:
    """A server on which scratch databases are made. Copies that a killed run left behind are removed.

    A copy takes a tenth of a second or two, and what is played on a new one is planned anew: where we may, one is
    emptied and used again. A thread does all that beside what is played.
    """

    def __init__(self, address: str) -> None:
        self._url = make_url(address).set(drivername="postgresql")
        self._server = _connected(self._url)
        self._template = f"{_PREFIX}_{_digest()}"
        with self._locked("setup"):
            self._clear()
            self._make_template()
        # To leave triggers and foreign keys out is a superuser's.
        self._empties = self._server.execute("SHOW is_superuser").fetchone() == ("on",)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="scratch")
        self._ahead: Future[Scratch] | None = None
        self._expected = 0
        self._dropping: list[Future[None]] = []

    def expect(self, count: int) -> None:
        """So many databases are going to be asked for, one after another: begin the first now."""
        self._expected = count
        if count > 0 and self._ahead is None:
            self._ahead = self._beside.submit(self._copy)

    @contextmanager
    def database(self) -> Iterator[Scratch]:
        """An empty database with all tables, for the length of the block."""
        coming, self._ahead = self._ahead or self._beside.submit(self._copy), None
        scratch = coming.result()
        self._expected -= 1
        if not self._empties:
            self.expect(self._expected)
        try:
            yield scratch
        finally:
            if self._expected > 0 and self._ahead is None:
                self._ahead = self._beside.submit(self._again, scratch)
            else:
                self._dropping.append(self._beside.submit(self._drop, scratch))

    def close(self) -> None:
        """Let the server go; the template stays for the next run. Raises what kept a copy from being dropped."""
        if self._ahead is not None and self._ahead.exception() is None:
            self._dropping.append(self._beside.submit(self._drop, self._ahead.result()))
        self._beside.shutdown()
        self._server.close()
        for each in self._dropping:
            each.result()

    def _copy(self) -> Scratch:
        name = f"{_PREFIX}_of_{secrets.token_hex(6)}"
        self._server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
        try:
            return Scratch(name, self._url.set(database=name), empties=self._empties)
        except psycopg.Error:
            self._remove(name)
            raise

    def _again(self, used: Scratch) -> Scratch:
        if used.is_like_new():
            return used
        self._drop(used)
        return self._copy()

    def _drop(self, scratch: Scratch) -> None:
        scratch.close()
        self._remove(scratch.name)

    def _remove(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._server.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])

    def _make_template(self) -> None:
        if self._server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._template]).fetchone():
            return
        making = f"{_PREFIX}_making"
        from billing.db import migrate  # noqa: PLC0415 (slow to load, and only the first run of this code needs it)

        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", making)
        self._run("CREATE DATABASE {}", making)
        address = self._url.set(drivername="postgresql+psycopg", database=making)
        migrate.upgrade(_told(address))
        self._run("ALTER DATABASE {} RENAME TO {}", making, self._template)

    def _clear(self) -> None:
        """Remove templates of other code, and copies that nobody holds."""
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s"
        for (name,) in self._server.execute(query, [f"{_PREFIX}_", self._template]).fetchall():
            row = self._server.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
            if row and row[0]:
                self._remove(name)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self._server.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"{_PREFIX} {name}"])
        try:
            yield
        finally:
            self._server.execute("SELECT pg_advisory_unlock(hashtext(%s))", [f"{_PREFIX} {name}"])

    def _run(self, statement: str, *names: str) -> None:
        self._server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _connected(url: URL) -> psycopg.Connection[tuple[Any, ...]]:
    """To the database that every server has, where it lets us in: locks of one name exclude each other within one
    database alone, and runs beside each other may be given different ones.
    """
    try:
        return psycopg.connect(_told(url.set(database="postgres")), autocommit=True)
    except psycopg.OperationalError:
        return psycopg.connect(_told(url), autocommit=True)


def _told(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def server_address() -> tuple[str, bool]:
    """The server to play on: `DATABASE_URL`'s, or the embedded one for scratch work; and whether that was started now.

    Raises `EmbeddedUnavailable`.
    """
    given = os.environ.get("DATABASE_URL")
    if given:
        return given, False
    embedded = start(place_of(SIMULATE).root, fast=True)
    return embedded.database_url, embedded.started


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_MIGRATIONS.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
