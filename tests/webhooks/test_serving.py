"""The receiver behind the WSGI server as it is started everywhere: what is huge or slow costs little, no other waits.

Row 68 of the failure matrix, with the options of `billing.sandbox.programs.SERVING`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import pytest
import waitress
from waitress import wasyncore
from waitress.adjustments import Adjustments

from billing.api.table import OPERATIONS
from billing.sandbox.programs import SERVING
from billing.settings import Settings
from billing.webhooks.app import create_app
from tests.flows.company import company
from tests.flows.deliveries import event_body, post, signed, stored

MOST = 5 * 1024 * 1024
PATIENCE_S = 30.0
"""For a loaded machine; each answer takes milliseconds."""


@dataclass
class Served:
    acme: Any
    server: Any
    port: int

    def say(self, *said: bytes) -> socket.socket:
        """A connection on which this was said."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        for piece in said:
            line.sendall(piece)
        return line

    def answer(self, *said: bytes) -> str:
        """The status that comes back, without a word more being sent."""
        with closing(self.say(*said)) as line:
            return line.recv(4096).split()[1].decode()


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    options, _ = Adjustments.parse_args([*SERVING, "wsgi:app"])
    given = {name: value for name, value in options.items() if name not in ("help", "call", "app")}
    sockets: dict[int, Any] = {}
    stopping = Event()
    with company(database_url) as acme, ExitStack() as last:
        server = waitress.create_server(create_app(acme.parts), map=sockets, host="127.0.0.1", port=0, **given)

        def run() -> None:
            while not stopping.is_set():
                wasyncore.loop(timeout=1, use_poll=True, map=sockets, count=1)

        loop = Thread(target=run)
        loop.start()
        last.callback(wasyncore.close_all, sockets)
        last.callback(server.task_dispatcher.shutdown)
        last.callback(loop.join)
        last.callback(server.pull_trigger)
        last.callback(stopping.set)
        port = server.effective_port
        acme.receiver = f"http://127.0.0.1:{port}"
        yield Served(acme, server, port)


def _head(*lines: str) -> bytes:
    return "\r\n".join(
        ("POST /webhooks/stripe HTTP/1.1", "Host: x", "Content-Type: application/json", *lines, "", "")
    ).encode()


def test_every_door_takes_less_than_the_server_and_the_server_little() -> None:
    options, _ = Adjustments.parse_args([*SERVING, "wsgi:app"])
    assert int(options["max_request_body_size"]) == MOST
    assert max(each.body_limit for each in OPERATIONS) < MOST
    assert Settings(_env_file=None).billing_webhook_body_limit < MOST


def test_what_is_huge_slow_or_senseless_is_refused_at_once_and_no_other_delivery_waits(served: Served) -> None:
    # 50 MB are refused by their announcement: not one of them has been sent.
    assert served.answer(_head("Content-Length: 50000000")) == "413"
    # What announces no length ends at the limit: the rest was never taken.
    chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    ended = served.answer(_head("Transfer-Encoding: chunked"), *[chunk] * (MOST // 0x40000))
    assert ended == "413"
    # Ten thousand signatures are more than any header; three thousand fit, and are not looked at.
    many = [",".join(["t=1", *["v1=" + "0" * 64] * number]) for number in (10_000, 3_000)]
    told = [served.answer(_head(f"Stripe-Signature: {each}", "Content-Length: 2"), b"{}") for each in many]
    assert told == ["431", "400"]
    # A hundred that send nothing more hold no thread: a good delivery is answered beside them.
    slow = [served.say(_head("Content-Length: 1000"), b"{") for _ in range(100)]
    raw = event_body(served.acme)
    assert post(served.acme, raw, signed(served.acme, raw)).status_code == 200
    # After their time they lose their connection.
    served.server.maintenance(time.time() + int(served.server.adj.channel_timeout) + 1)
    served.server.pull_trigger()
    assert {line.recv(1) for line in slow} == {b""}
    for line in slow:
        line.close()
    assert len(stored(served.acme)) == 1
