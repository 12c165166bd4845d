"""One transaction on the store: objects by kind and id, lists, settings; raw SQL for the rooms that keep tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.sandbox.stripe.values import Json, dump

COLUMNS = ("type", "customer", "payment_intent", "charge", "source")
"""What objects can be listed by: each is copied from the object's own field of that name."""


@dataclass(slots=True)
class Stored:
    """An object as Stripe shows it, what only the stand-in knows of it, and whose it is."""

    body: Json
    hidden: Json
    account: str
    seq: int = 0
    """Its place among all objects; 0 until it is saved for the first time."""

    @property
    def id(self) -> str:
        return str(self.body["id"])


class Tx:
    """A running transaction. Nothing read here is shared: change a body, then `save` it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def sql(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        return self._db.execute(statement, values).fetchall()

    def sql_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._db.executemany(statement, rows)

    def add(self, account: str, body: Json, hidden: Json | None = None) -> Stored:
        stored = Stored(body, hidden or {}, account)
        self.save(stored)
        return stored

    def save(self, stored: Stored) -> None:
        """Write it as it is now: one that is new as well as one that was read."""
        if stored.seq:
            self._update(stored)
        else:
            self._insert(stored)

    def _insert(self, stored: Stored) -> None:
        body = stored.body
        done = self._db.execute(
            "insert into objects (id, account, kind, created, type, customer, payment_intent, charge, source, body,"
            " hidden) values (?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(body["id"], stored.account, body["object"], body["created"]),
                *(_text(body.get(name)) for name in COLUMNS),
                *(dump(body), dump(stored.hidden) if stored.hidden else "{}"),
            ),
        )
        assert done.lastrowid is not None
        stored.seq = done.lastrowid

    def _update(self, stored: Stored) -> None:
        self.sql(
            "update objects set customer = ?, payment_intent = ?, charge = ?, body = ?, hidden = ? where id = ?",
            (
                *(_text(stored.body.get(name)) for name in ("customer", "payment_intent", "charge")),
                *(dump(stored.body), dump(stored.hidden), stored.id),
            ),
        )

    def remove(self, id: str) -> None:
        self.sql("delete from objects where id = ?", (id,))

    def get(self, account: str, kind: str, id: str) -> Stored | None:
        found = self.sql("select * from objects where id = ? and account = ? and kind = ?", (id, account, kind))
        return _stored(found[0]) if found else None

    def any(self, kind: str, id: str) -> Stored | None:
        """The object of any account: for the witness, timers and deliveries."""
        found = self.sql("select * from objects where id = ? and kind = ?", (id, kind))
        return _stored(found[0]) if found else None

    def find(self, id: str, account: str) -> Stored | None:
        """The object of whatever kind: for expansion."""
        found = self.sql("select * from objects where id = ? and account = ?", (id, account))
        return _stored(found[0]) if found else None

    def select(
        self, where: str, values: Sequence[Any] = (), *, order: str = "seq desc", limit: int = -1
    ) -> list[Stored]:
        """Objects by a condition over the columns of `objects`; the condition is ours, the values may be anybody's."""
        rows = self.sql(f"select * from objects where {where} order by {order} limit ?", (*values, limit))  # noqa: S608
        return [_stored(row) for row in rows]

    def walk(self, kind: str) -> Iterator[Stored]:
        """Every object of a kind, of all accounts, oldest first."""
        return iter(self.select("kind = ?", (kind,), order="seq"))

    def setting(self, name: str) -> Any:
        found = self.sql("select value from settings where name = ?", (name,))
        return json.loads(found[0]["value"]) if found else None

    def set(self, name: str, value: Any) -> None:
        self.sql("insert or replace into settings (name, value) values (?, ?)", (name, dump(value)))


def _stored(row: sqlite3.Row) -> Stored:
    hidden = row["hidden"]
    return Stored(json.loads(row["body"]), {} if hidden == "{}" else json.loads(hidden), row["account"], row["seq"])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
