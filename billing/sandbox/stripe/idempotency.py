"""Idempotency keys: the first answer is kept with the effect, in its transaction, and replayed for 24 hours.

By account and key; the age is that of the stand-in's clock. A key older than that is pruned: it is a new request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from billing.sandbox.stripe.errors import key_reused
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json, digest, dump

LIFE_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller; `text` is its body as JSON."""

    status: int
    text: str
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, body: Json, headers: dict[str, str]) -> Answer:
        return cls(status, dump(body), headers)


def fingerprint(method: str, path: str, params: Json) -> str:
    """What makes two requests under one key the same: method, path and parameters."""
    return digest(f"{method} {path} {json.dumps(params, sort_keys=True)}", length=64)


def replay(tx: Tx, *, account: str, key: str, print_: str, now: int) -> Answer | None:
    """The kept answer of the first request under this key. Raises `idempotency_error` if that was another request."""
    found = tx.sql("select * from keys where account = ? and key = ?", (account, key))
    if not found:
        return None
    kept = found[0]
    if now - kept["created"] >= LIFE_S:
        tx.sql("delete from keys where account = ? and key = ?", (account, key))
        return None
    if kept["fingerprint"] != print_:
        raise key_reused(key)
    again = {"Idempotent-Replayed": "true", "Original-Request": kept["request_id"]}
    return Answer(kept["status"], kept["body"], {**json.loads(kept["headers"]), **again})


def keep(tx: Tx, answer: Answer, *, call: Call, print_: str) -> None:
    """Keep the first answer under the call's key."""
    tx.sql(
        "insert into keys (account, key, created, fingerprint, request_id, status, headers, body)"
        " values (?,?,?,?,?,?,?,?)",
        (
            *(call.account, call.key, call.now, print_, call.request_id),
            *(answer.status, dump(answer.headers), answer.text),
        ),
    )


def first_time(call: Call) -> bool:
    """Whether a sandbox method's passing fault has yet to strike under the call's key."""
    found = call.tx.sql(
        "select created from passed_faults where account = ? and key = ?", (call.account, call.key or "")
    )
    return not found or call.now - int(found[0]["created"]) >= LIFE_S


def strike(call: Call) -> None:
    """Note that the passing fault has struck, so that the repeat is executed."""
    if call.key is not None:
        call.tx.sql(
            "insert or replace into passed_faults (account, key, created) values (?,?,?)",
            (call.account, call.key, call.now),
        )
