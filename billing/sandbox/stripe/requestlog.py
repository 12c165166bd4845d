"""The request log: every request received, as it was, without the secret. It is on disk, not in memory."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from billing.kernel.clock import format_instant
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json


@dataclass(slots=True)
class Entry:
    """One line. `outcome`: executed, replayed (its key's answer again), refused (nothing was begun)."""

    method: str
    path: str
    request_id: str
    key: str | None
    time: float = field(default_factory=time.time)
    params: Json = field(default_factory=dict)
    account: str = ""
    key_hash: str = ""
    status: int | None = None
    outcome: str = ""

    def ended(self, status: int | None, outcome: str) -> Entry:
        self.status, self.outcome = status, outcome
        return self


def write(tx: Tx, entry: Entry, now: int) -> None:
    """Append the line. `time` is wall time, `clock` the stand-in's own; `status` null: lost on the way in."""
    tx.sql(
        "insert into requests (time, clock, method, path, params, idempotency_key, account, key_hash, request_id,"
        " status, outcome) values (?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(_iso(entry.time), _iso(now), entry.method, entry.path, json.dumps(entry.params), entry.key),
            *(entry.account or None, entry.key_hash or None, entry.request_id, entry.status, entry.outcome),
        ),
    )


def shown(tx: Tx, *, after: int, limit: int) -> list[Json]:
    """The log, oldest first. Paged by `seq`; `limit` -1 is everything."""
    rows = tx.sql("select * from requests where seq > ? order by seq limit ?", (after, limit))
    return [{**dict(row), "params": json.loads(row["params"])} for row in rows]


def _iso(seconds: float) -> str:
    return format_instant(datetime.fromtimestamp(seconds, UTC))
