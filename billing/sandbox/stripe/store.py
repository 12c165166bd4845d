"""The store: one SQLite file (or memory), one writer at a time, every transaction on disk before it is answered.

WAL with `synchronous=FULL`: a commit that returned survives a kill and a power cut. The file is locked exclusively, so
that two stand-ins never share one. All access goes through `transaction()`, which gives a `Tx`; what is written in one
either happens together or not at all.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from billing.sandbox.stripe.tx import Tx

MEMORY = ":memory:"
SPILLED = ""
"""Books that end with the process, too, of which the disk holds what a cache of `_CACHE_KIB` does not."""
_CACHE_KIB, _PAGE_BYTES = 8_192, 8_192
"""At each commit SQLite counts what such books have not written yet of their cache: fewer pages are counted sooner."""

_SETTINGS = "pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full;"
_OF_SPILLED = (
    f"pragma page_size = {_PAGE_BYTES}; pragma cache_size = -{_CACHE_KIB}; pragma journal_mode = memory;"
    " pragma synchronous = off;"
)
_SCHEMA = """
create table if not exists objects (
    seq integer primary key, id text not null unique, account text not null, kind text not null,
    created integer not null, type text, customer text, payment_intent text, charge text, source text,
    body text not null, hidden text not null);
create index if not exists objects_by_kind on objects (account, kind, seq);
create index if not exists objects_by_customer on objects (customer, kind, seq) where customer is not null;
create index if not exists objects_by_intent on objects (payment_intent, kind, seq) where payment_intent is not null;
create index if not exists objects_by_charge on objects (charge, kind, seq) where charge is not null;
create index if not exists objects_by_source on objects (source, kind, seq) where source is not null;

create table if not exists keys (
    account text not null, key text not null, created integer not null, fingerprint text not null,
    request_id text not null, status integer not null, headers text not null, body text not null,
    primary key (account, key)) without rowid;
create table if not exists passed_faults (
    account text not null, key text not null, created integer not null, primary key (account, key)) without rowid;

create table if not exists requests (
    seq integer primary key, time text not null, clock text not null, method text not null, path text not null,
    params text not null, idempotency_key text, account text, key_hash text, request_id text not null,
    status integer, outcome text not null);

create table if not exists deliveries (
    seq integer primary key, account text not null, event text not null, endpoint text not null,
    first_due real not null, due real not null, tries integer not null default 0, state text not null,
    last_status integer);
create index if not exists deliveries_waiting on deliveries (due) where state = 'waiting';
create index if not exists deliveries_by_event on deliveries (event);

create table if not exists timers (
    seq integer primary key, due integer not null, account text not null, what text not null, id text not null);
create index if not exists timers_by_due on timers (due);

create table if not exists settings (name text primary key, value text not null) without rowid;
"""


class StoreInUse(RuntimeError):
    """Another stand-in has this file."""


class Store:
    """The stand-in's books. `path` is a file, or `MEMORY` or `SPILLED` for books that end with the process."""

    def __init__(self, path: str | Path = MEMORY) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False, timeout=1)
        self._db.row_factory = sqlite3.Row
        try:
            self._db.executescript((_OF_SPILLED if path == SPILLED else _SETTINGS) + _SCHEMA)
        except sqlite3.OperationalError as error:
            raise StoreInUse(f"the store {path} cannot be opened, or is in use by another stand-in") from error

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One transaction; others wait. Committed at the end, rolled back if an exception leaves the block."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield Tx(self._db)
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def close(self) -> None:
        with self._lock:
            self._db.close()
