"""Deliveries for `./run bench webhooks`: signed requests, and clients that send them and time the answers.

One thread serves all connections, so that a client costs as little as it can beside the receiver that is measured.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from billing.sandbox.bench.figures import Json

_HEAD_END = b"\r\n\r\n"
_GIVE_UP_S = 20.0


@dataclass(slots=True)
class Measured:
    """What came of some deliveries: seconds until each answer, and how many answers were of which status."""

    waited_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.waited_s) / self.took_s

    def percentile_ms(self, part: float) -> float:
        """Milliseconds within which this part of all answers came."""
        ordered = sorted(self.waited_s)
        return 1000 * ordered[min(int(part * len(ordered)), len(ordered) - 1)]

    def as_json(self) -> Json:
        """For programs."""
        return {
            "accepted_a_second": round(self.per_s, 1),
            "p50_ms": round(self.percentile_ms(0.5), 2),
            "p99_ms": round(self.percentile_ms(0.99), 2),
            "statuses": self.statuses,
        }


def event(number: int, *, intent_ref: str, prefix: str) -> bytes:
    """A body as large as one of Stripe's about a payment intent: two and a half kilobytes."""
    subject = {"id": intent_ref, "object": "payment_intent", "status": "succeeded"}
    subject |= {f"field_{place}": "a value of the usual length" for place in range(45)}
    told = {
        "id": f"evt_{prefix}{number:09d}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": subject},
        "livemode": False,
        "type": "payment_intent.succeeded",
    }
    return json.dumps(told).encode()


def requests_of(bodies: Iterator[bytes], *, secret: str) -> list[bytes]:
    """Whole HTTP requests, signed now."""
    stamp = int(time.time())
    made = []
    for body in bodies:
        digest = hmac.new(secret.encode(), b"%d.%b" % (stamp, body), hashlib.sha256).hexdigest()
        head = (
            "POST /webhooks/stripe HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Stripe-Signature: t={stamp},v1={digest}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def deliver(port: int, requests: list[bytes], *, clients: int, per_s: float | None = None) -> Measured:
    """Send all by so many clients, each waiting for its answer before it sends the next.

    With `per_s` they are spread evenly over time; one that finds every client waiting is timed from when it was due.
    """
    measured, waiting = Measured(), iter(requests)
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=_GIVE_UP_S) for _ in range(clients)]
    for each in sockets:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    idle, busy, heard = list(sockets), dict[socket.socket, float](), dict[socket.socket, bytes]()
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        began = time.perf_counter()
        sent, request = 0, next(waiting, None)
        while request is not None or busy:
            now = time.perf_counter()
            while idle and request is not None and (per_s is None or now >= began + sent / per_s):
                client = idle.pop()
                busy[client] = now if per_s is None else began + sent / per_s
                client.sendall(request)
                sent, request = sent + 1, next(waiting, None)
            due = None if per_s is None or request is None else max(0.0, began + sent / per_s - time.perf_counter())
            for key, _ in selector.select(_GIVE_UP_S if due is None or not idle else due):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                answer = heard.pop(connection, b"") + connection.recv(65536)
                if not _is_whole(answer):
                    heard[connection] = answer
                    continue
                measured.waited_s.append(time.perf_counter() - busy.pop(connection))
                status = int(answer[9:12])
                measured.statuses[status] = measured.statuses.get(status, 0) + 1
                idle.append(connection)
        measured.took_s = time.perf_counter() - began
    for each in sockets:
        each.close()
    return measured


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(_HEAD_END)
    if not found:
        return False
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])
