"""The world in order, built once: each test has a copy of its rows, and of the objects that stand for them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from billing.db.base import Base
from billing.db.session import connect
from billing.flows.parts import Parts
from billing.sandbox.emptying import Shape, cut_off, empty
from billing.wiring import build
from tests import builders, shelf
from tests.audit.seeds import Planting
from tests.audit.witness_rows import witness_of
from tests.servers import Databases
from tests.stack import Noted, settings_for


class _Worlds:
    """Databases with the world's rows: copies of one, in which they are put back after a test, so that its sessions
    know their plans. One in which more than rows was changed is removed.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._first = databases.clone()
        with self._databases.at(self._first) as connection:
            self._shape = Shape.of(connection)
        engine = connect(databases.url_of(self._first))
        with Session(engine, expire_on_commit=False) as session:
            made = builders.world(session), witness_of(session)
            session.commit()
        engine.dispose()
        self.things = pickle.dumps(made)
        """World and witness."""
        with self._databases.at(self._first) as connection:
            written = set(_tables(connection)) - set(self._shape.brought)
            self._rows = {name: rows for name in sorted(written) if (rows := _rows_of(connection, name))}
        self._free: list[str] = []

    def lend(self) -> str:
        """The name of a database with the world's rows."""
        if self._free:
            return self._free.pop()
        name = self._databases.clone(of=self._first)
        shelf.keep(name)
        return name

    def take_back(self, name: str) -> None:
        """Put its rows back for the next, or remove it where that can't make it like new."""
        try:
            with self._databases.at(name) as connection:
                cut_off(connection, kept=shelf.sessions_of(name))
                if empty(connection, self._shape):
                    self._fill(connection)
                    self._free.append(name)
                    return
        except psycopg.Error:
            pass
        self._databases.drop(name)

    def close(self) -> None:
        for name in (self._first, *self._free):
            self._databases.drop(name)

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            for name, rows in self._rows.items():
                with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(_named(name))) as copy:
                    copy.write(rows)


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'billing'::regnamespace"
    return [name for (name,) in connection.execute(query).fetchall()]


def _rows_of(connection: psycopg.Connection[Any], name: str) -> bytes:
    """As COPY has them; empty where there are none."""
    if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(_named(name))).fetchone() is None:
        return b""
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(_named(name))) as copy:
        return b"".join(copy)


def _named(table: str) -> sql.Identifier:
    return sql.Identifier("billing", table)


@pytest.fixture(scope="session")
def _worlds(_databases: Databases) -> Iterator[_Worlds]:
    worlds = _Worlds(_databases)
    yield worlds
    worlds.close()


@pytest.fixture
def world_parts(_databases: Databases, _worlds: _Worlds) -> Iterator[Parts]:
    """Parts over a database with the world's rows."""
    name = _worlds.lend()
    settings = settings_for(_databases.url_of(name), "http://127.0.0.1:9")
    made = replace(build(settings, transport=Noted()), keyring=builders.KEYRING)
    yield made
    made.sessions.kw["bind"].dispose()
    _worlds.take_back(name)


@pytest.fixture
def planting(world_parts: Parts, _worlds: _Worlds) -> Iterator[Planting]:
    """What a seed may change in it."""
    world, witness = pickle.loads(_worlds.things)
    with world_parts.sessions() as session:
        session.add_all(each for each in (getattr(world, one.name) for one in fields(world)) if isinstance(each, Base))
        yield Planting(session, world, witness)
