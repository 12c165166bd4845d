"""What an invariant is: a code, its meaning in billing words, and the checks that find the rows which break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.db.rows import stream
from billing.kernel.errors import Refused
from billing.models import DataKey
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import SealBroken
from billing.queries.audit.recent import narrowed

PAGE = 2000
"""Rows held in memory at once."""
_FEW = 1 << 20
"""Bytes. Where no table takes more of them, whatever is asked has an answer that memory holds."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How late is still on time. `due` and `listed` are business time; the others are wall time."""

    due: timedelta
    """For the billing of a period that has begun."""
    handled: timedelta
    """For an event to be handled."""
    picked_up: timedelta
    """For a job whose moment has come, or whose lease has run out, to be taken."""
    listed: timedelta = timedelta(hours=4)
    """Business time, for an event that no delivery brought to be found in the provider's list."""


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
    keyring: Keyring
    witness_from: datetime | None = None
    """Wall time just before the witness was read, null without one. Rows changed since then are newer than it."""
    texts: Callable[[], Iterable[Text]] = field(default=tuple)
    since: datetime | None = None
    """Wall time: only what changed since then is looked at, with all that belongs to it. Null: everything."""
    event_types: Sequence[str] = ()
    """Types of provider events that somebody here looks after."""
    page: int | None = PAGE
    """Rows of an answer held in memory at once; None where no table has many, and all are (`page_of`)."""
    _keys: dict[UUID, bytes | None] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _rows: dict[str, list[Any]] = field(default_factory=dict)

    def data_key(self, id_: UUID) -> bytes | None:
        """A data key in the clear, None where it can't be opened. Few documents have a key of their own."""
        if id_ not in self._keys:
            row = self.session.get_one(DataKey, id_)
            try:
                self._keys[id_] = self.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
            except (Refused, SealBroken):
                self._keys[id_] = None
        return self._keys[id_]

    def rows(self, sql: str, **values: Any) -> Iterator[Row[Any]]:
        """Stream a query through a server-side cursor, so that others can be asked meanwhile.

        It may name `:now`, `:wall` and what the graces give.
        """
        streaming = {"stream_results": True, "yield_per": PAGE}
        asked, given = text(self._asked(sql)), self._known() | values
        with self.session.execute(asked, given, execution_options=streaming) as result:
            yield from result

    def read(self, sql: str, **values: Any) -> Iterator[Any]:
        """As `rows`, by one trip to the server; but nothing else can be asked until the last row was taken."""
        return stream(self.session, self._asked(sql), self._known() | values, page=self.page, named=True)

    def found(self, sql: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        """As `read`, of a query whose columns have no names."""
        return stream(self.session, self._asked(sql), self._known() | values, page=self.page)

    def once(self, sql: str) -> list[Any]:
        """All rows of what several checks ask. They are few, and are asked for once."""
        if sql not in self._rows:
            self._rows[sql] = list(self.read(sql))
        return self._rows[sql]

    def _known(self) -> dict[str, Any]:
        return {
            "now": self.now,
            "wall": self.wall,
            "due_before": self.now - self.grace.due,
            "listed_before": self.now - self.grace.listed,
            "handled_before": self.wall - self.grace.handled,
            "picked_up_before": self.wall - self.grace.picked_up,
            "witness_from": self.witness_from,
            "since": self.since,
            "event_types": list(self.event_types),
        }

    def count(self, sql: str) -> int:
        """The one number that a query gives. It is asked once: several invariants speak of the same rows."""
        if sql not in self._counts:
            self._counts[sql] = int(self.session.execute(text(self._asked(sql))).scalar_one())
        return self._counts[sql]

    def count_all(self, sql: str, **values: Any) -> int:
        """The one number that a query gives of the whole tables, whatever is looked at."""
        return int(self.session.execute(text(sql), values).scalar_one())

    def _asked(self, sql: str) -> str:
        return sql if self.since is None else narrowed(sql)


def page_of(session: Session) -> int | None:
    """How a reading of this database takes its answers. All at once, plans are kept: a play's audit halves by it."""
    largest = "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'billing'::regnamespace"
    return None if session.execute(text(largest)).scalar_one() <= _FEW else PAGE


Check = Callable[[Reading], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Finds:
    """A check in SQL: each row (subject type, subject id, detail) is a finding."""

    sql: str
    values: dict[str, Any]
    only_whole: bool = False
    """Whether it sums up whole tables, so that only an audit of everything can ask it."""

    def __call__(self, reading: Reading) -> Iterator[Finding]:
        if self.only_whole and reading.since is not None:
            return
        for row in reading.found(self.sql, **self.values):
            yield Finding(*map(str, row))


def finds(sql: str, *, only_whole: bool = False, **values: Any) -> Finds:
    """Ask this, with these values beside those that a reading knows."""
    return Finds(sql, values, only_whole)


@dataclass(frozen=True, slots=True)
class Invariant:
    """`checks` read the database alone; `witnessed` compare it with the witness and run only where one was read."""

    code: str
    meaning: str
    counted: str
    """SQL that counts the rows which this invariant speaks of."""
    checks: tuple[Check, ...] = ()
    witnessed: tuple[Check, ...] = ()
