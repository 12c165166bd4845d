"""No statement of the engine looks for its rows in the whole of a table that grows.

Whatever the engine sends while tests run is planned once more at their end, with its own values, by a planner that is
told to go by an index wherever one serves. Where it still reads a table from end to end, there is none: what takes
microseconds on a test's few rows takes seconds, and all of the disk's attention, on a company's years.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.servers import Databases

ROOT = Path(__file__).parents[1]

FEW = frozenset(
    """alembic_version api_key audit_acceptance audit_run brake coupon database_pin endpoint exchange_rate heartbeat
    operator payout price product provider_account reconciliation sandbox_clock seller series tax_rate""".split()
)
"""Tables that stay small: what a company decides on, and a row a day or a quarter of an hour."""

MAY = {
    "billing/flows/healing.py:_newest": "after a restore, once: when our newest attempt and document were made",
    "billing/queries/master_key.py:data_keys_by_master": "as master keys are rotated, by hand: that none is left out",
}
"""Places that read a whole table, and why they may."""
_MAY_ALL = ("billing/sandbox/", "billing/queries/audit/", "billing/queries/books/", "billing/db/migrations/")
"""Of these everything: what plays and measures, the audit and the reports of all there is, what changes tables."""
_PLUMBING = "billing/db/"

_READS = re.compile(r"\s*(select|with|update|delete|insert)\b", re.IGNORECASE)
_PLACES_OF_LISTS = re.compile(r"_\d+(_\d+)?\)s")


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement as it went out first, and the place of the engine that sent it."""

    statement: str
    values: Any
    place: str


@contextmanager
def watching() -> Iterator[dict[str, Sent]]:
    """What the engine sends during the block, each statement once, however long its lists are."""
    seen: dict[str, Sent] = {}
    known: set[str] = set()
    execute, stream = psycopg.Cursor.execute, psycopg.Cursor.stream

    def note(statement: Any, values: Any) -> None:
        if not isinstance(statement, str) or statement in known:
            return
        place = _place()
        if place is None:
            return
        known.add(statement)
        # Of a host's own tables, written in a session that is shared, nothing is said here.
        if _READS.match(statement) and "billing." in statement:
            seen.setdefault(_PLACES_OF_LISTS.sub("_n)s", statement), Sent(statement, values, place))

    def noted_execute(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
        note(query, params)
        return execute(cursor, query, params, **named)

    def noted_stream(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
        note(query, params)
        return stream(cursor, query, params, **named)

    psycopg.Cursor.execute, psycopg.Cursor.stream = noted_execute, noted_stream  # type: ignore[method-assign,assignment]
    try:
        yield seen
    finally:
        psycopg.Cursor.execute, psycopg.Cursor.stream = execute, stream  # type: ignore[method-assign]


def _place() -> str | None:
    """The file and function of the engine that asks; None where that is a test, or one of those that may."""
    frame = sys._getframe(3)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(f"{ROOT}/") and "/.venv/" not in path and not frame.f_code.co_name.startswith("<"):
            place = f"{path.removeprefix(f'{ROOT}/')}:{frame.f_code.co_name}"
            if not place.startswith(_PLUMBING) or place.startswith(_MAY_ALL):
                return None if not place.startswith("billing/") or place.startswith(_MAY_ALL) else place
        frame = frame.f_back  # type: ignore[assignment]
    return None


def whole_reads(databases: Databases, seen: Mapping[str, Sent]) -> list[str]:
    """Each statement that reads a growing table from end to end, with its place."""
    name = databases.clone()
    address = make_url(databases.url_of(name)).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as connection:
            for way in ("seqscan", "hashjoin", "mergejoin"):
                connection.execute(f"SET enable_{way} = off")  # type: ignore[arg-type]
            return sorted(line for sent in seen.values() if (line := _accused(connection, sent)))
    finally:
        databases.drop(name)


def _accused(connection: psycopg.Connection[Any], sent: Sent) -> str | None:
    try:
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {sent.statement}", sent.values).fetchone()  # type: ignore[arg-type]
    except psycopg.errors.UndefinedTable:
        return None  # A temporary one of its own session.
    assert row is not None
    tables = set(_read_whole(row[0][0]["Plan"])) - FEW
    if not tables or sent.place in MAY:
        return None
    return f"{sent.place} reads all of {', '.join(sorted(tables))}: {' '.join(sent.statement.split())}"


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node.get("Schema", "billing") == "billing":
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _read_whole(below)
