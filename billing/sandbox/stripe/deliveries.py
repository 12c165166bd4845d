"""Webhook deliveries: signed as Stripe signs, at least once, tried again for three days, in no promised order.

A delivery is a row; what a killed stand-in had not finished, the next one sends. Back-off and signatures are wall time.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass

from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.tx import Tx

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Letter:
    """One try of one delivery, ready to be sent."""

    seq: int
    tries: int
    first_due: float
    url: str
    secret: str
    body: bytes


def waiting(tx: Tx) -> int:
    """How many deliveries are not done with."""
    return int(tx.sql("select count(*) from deliveries where state = 'waiting'")[0][0])


def take_due(stand_in: StandIn, *, but: set[int], early: bool = False) -> list[Letter]:
    """What is due now, oldest first, without the deliveries `but`; `early` also takes what waits for a later try."""
    with stand_in.store.transaction() as tx:
        rows = tx.sql(_DUE, (float("inf") if early else time.time(), _BATCH + len(but)))
        letters = []
        for row in rows:
            if row["seq"] not in but:
                if row["body"] is None or row["status"] != "enabled":
                    tx.sql("update deliveries set state = 'stopped' where seq = ?", (row["seq"],))
                    continue
                letters.append(
                    Letter(row["seq"], row["tries"], row["first_due"], row["url"], row["secret"], row["body"].encode())
                )
        return letters


_DUE = """
    select d.seq, d.tries, d.first_due, w.body ->> '$.url' as url, w.hidden ->> '$.secret' as secret,
           w.body ->> '$.status' as status, json_set(e.body, '$.pending_webhooks', 1) as body
    from deliveries d
    left join objects w on w.id = d.endpoint and w.kind = 'webhook_endpoint'
    left join objects e on e.id = d.event and e.kind = 'event'
    where d.state = 'waiting' and d.due <= ? order by d.due, d.seq limit ?"""


def next_due(stand_in: StandIn) -> float | None:
    """Wall time (Unix seconds) of the next try, if there is one."""
    with stand_in.store.transaction() as tx:
        due: float | None = tx.sql("select min(due) from deliveries where state = 'waiting'")[0][0]
        return due


def send(stand_in: StandIn, letter: Letter) -> int | None:
    """Deliver once; the receiver's status, or None where there was no answer."""
    try:
        return stand_in.deliver(letter.url, *_sealed(stand_in, letter))
    except OSError:
        return None


def send_all(stand_in: StandIn, letters: Sequence[Letter]) -> list[tuple[Letter, int | None]]:
    """Deliver each once: together, where whoever carries them can."""
    if stand_in.deliver_many is None or not letters:
        return [(letter, send(stand_in, letter)) for letter in letters]
    parcels = [(letter.url, *_sealed(stand_in, letter)) for letter in letters]
    try:
        return list(zip(letters, stand_in.deliver_many(parcels), strict=True))
    except OSError:
        return [(letter, None) for letter in letters]


def _sealed(stand_in: StandIn, letter: Letter) -> tuple[bytes, dict[str, str]]:
    if stand_in.seal is not None:
        return stand_in.seal(stand_in, letter)
    return letter.body, _headers(letter)


def _headers(letter: Letter) -> dict[str, str]:
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+sandbox)",
        "Stripe-Signature": signature(letter.body, letter.secret, at=int(time.time())),
    }


def signature(body: bytes, secret: str, *, at: int) -> str:
    """Stripe's header: the time, and HMAC-SHA256 over `time.body`."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def record(stand_in: StandIn, results: list[tuple[Letter, int | None]]) -> None:
    """Write down how tries ended: delivered on a 2xx, else tried again after a back-off, given up in the end."""
    retries, now = stand_in.config.webhook_retries_ms or [1_000], time.time()
    rows = []
    for letter, status in results:
        delivered = status is not None and 200 <= status < 300
        over = now - letter.first_due > stand_in.config.webhook_give_up_s
        state = "delivered" if delivered else "given_up" if over else "waiting"
        back_off_s = retries[min(letter.tries, len(retries) - 1)] / 1000
        rows.append((state, now + back_off_s, status, letter.seq))
    with stand_in.store.transaction() as tx:
        tx.sql_many(
            "update deliveries set tries = tries + 1, state = ?, due = ?, last_status = ?"
            " where seq = ? and state = 'waiting'",
            rows,
        )
