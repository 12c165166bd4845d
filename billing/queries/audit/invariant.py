"""What an invariant is: a code, its meaning in billing words, and the checks that find the rows which break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

PAGE = 2000
"""Rows held in memory at once."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How late is still on time. `due` is business time; the others are wall time."""

    due: timedelta
    """For the billing of a period that has begun."""
    handled: timedelta
    """For an event to be handled."""
    picked_up: timedelta
    """For a job whose moment has come, or whose lease has run out, to be taken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that breaks an invariant. Ids, numbers and amounts only; nothing personal, and no secret itself."""

    subject_type: str
    subject_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text from outside the database to search for secrets: a log line, a waiting message."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One audit's view: a read-only snapshot, both clocks read at its start, and the graces."""

    session: Session
    now: datetime
    """Business time."""
    wall: datetime
    grace: Grace
    witness_from: datetime | None = None
    """Wall time just before the witness was read, null without one. Rows changed since then are newer than it."""
    texts: Callable[[], Iterable[Text]] = field(default=tuple)

    def rows(self, sql: str, **values: Any) -> Iterator[Row[Any]]:
        """Stream a query through a server-side cursor. It may name `:now`, `:wall` and what the graces give."""
        known = {
            "now": self.now,
            "wall": self.wall,
            "due_before": self.now - self.grace.due,
            "handled_before": self.wall - self.grace.handled,
            "picked_up_before": self.wall - self.grace.picked_up,
            "witness_from": self.witness_from,
        }
        streaming = {"stream_results": True, "yield_per": PAGE}
        with self.session.execute(text(sql), known | values, execution_options=streaming) as result:
            yield from result

    def count(self, sql: str) -> int:
        """The one number that a query gives."""
        return int(self.session.execute(text(sql)).scalar_one())


Check = Callable[[Reading], Iterator[Finding]]


def finds(sql: str, **values: Any) -> Check:
    """A check in SQL: each row (subject type, subject id, detail) is a finding."""

    def check(reading: Reading) -> Iterator[Finding]:
        for row in reading.rows(sql, **values):
            yield Finding(*map(str, row))

    return check


@dataclass(frozen=True, slots=True)
class Invariant:
    """`checks` read the database alone; `witnessed` compare it with the witness and run only where one was read."""

    code: str
    meaning: str
    counted: str
    """SQL that counts the rows which this invariant speaks of."""
    checks: tuple[Check, ...] = ()
    witnessed: tuple[Check, ...] = ()
