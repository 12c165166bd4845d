"""Statements are compiled once a process, however many engines its tests make: one a test, where production has one.

SQLAlchemy keeps what it compiled by engine and dialect. A third of the processor time of a flow's test was compiling
the same few hundred statements again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.util import LRUCache

from tests import shelf

_COMPILED: LRUCache[object, object] = LRUCache(4000)


class OneDialect(PGDialect_psycopg):
    """As psycopg's, and equal to every other of its kind: all are made alike, for one server.

    What it opens outlives the engine that closes it (tests/shelf.py), unless the engine says that it is broken.
    """

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def connect(self, *values: Any, **named: Any) -> Any:
        return super().connect(*values, **named) if values else shelf.take(named)

    def do_close(self, dbapi_connection: Any) -> None:
        shelf.put_back(dbapi_connection)

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.close()

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=_COMPILED)


def compile_once() -> None:
    """From now on, for every engine of this process."""
    registry.register("postgresql.psycopg", __name__, OneDialect.__name__)
