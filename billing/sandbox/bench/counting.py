"""Counts what goes to the database at the driver, below everything that might send it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def counting_statements() -> Iterator[list[str]]:
    """The statements that this process sends during the block, in order.

    COPY is one, and so is a statement with many sets of values: it goes out in one pipeline.
    """
    sent: list[str] = []
    execute, executemany, copy = psycopg.Cursor.execute, psycopg.Cursor.executemany, psycopg.Cursor.copy

    def noted_execute(cursor: Any, query: Any, *given: Any, **named: Any) -> Any:
        sent.append(str(query))
        return execute(cursor, query, *given, **named)

    def noted_executemany(cursor: Any, query: Any, *given: Any, **named: Any) -> Any:
        sent.append(str(query))
        return executemany(cursor, query, *given, **named)

    def noted_copy(cursor: Any, statement: Any, *given: Any, **named: Any) -> Any:
        sent.append(str(statement))
        return copy(cursor, statement, *given, **named)

    for name, noted in (("execute", noted_execute), ("executemany", noted_executemany), ("copy", noted_copy)):
        setattr(psycopg.Cursor, name, noted)
    try:
        yield sent
    finally:
        for name, own in (("execute", execute), ("executemany", executemany), ("copy", copy)):
            setattr(psycopg.Cursor, name, own)
