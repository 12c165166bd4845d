"""Stand-in of authorities: publishes exchange rates in the ECB's form, and answers for VAT numbers as VIES does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
    'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><gesmes:subject>Reference rates</gesmes:subject><Cube>'
)


@dataclass
class Registers:
    """What is published and known, and what was asked."""

    port: int = 0
    rates: dict[str, dict[str, str]] = field(default_factory=dict)
    """By day: units of a currency (in capitals) for one euro."""
    numbers: set[str] = field(default_factory=set)
    """Registered VAT numbers, with the prefix of their state."""
    down: str | None = None
    """While set, VIES answers with this error, and the bank with 503."""
    unknown_requester: bool = False
    """While set, VIES does not know the number of who asks."""
    says_of_requester: str = "INVALID_REQUESTER_INFO"
    """What it answers then."""
    asked: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def published(self, *, history: bool) -> str:
        days = sorted(self.rates, reverse=True)
        cubes = (
            f"<Cube time='{day}'>"
            + "".join(f"<Cube currency='{name}' rate='{rate}'/>" for name, rate in self.rates[day].items())
            + "</Cube>"
            for day in (days if history else days[:1])
        )
        return f"{_HEAD}{''.join(cubes)}</Cube></gesmes:Envelope>"

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        unknown = self.unknown_requester and "requesterNumber" in question
        down = self.says_of_requester if unknown else self.down
        if down is not None:
            return {"actionSucceed": False, "errorWrappers": [{"error": down}]}
        valid = f"{question['countryCode']}{question['vatNumber']}" in self.numbers
        named = "requesterNumber" in question
        return {
            "countryCode": question["countryCode"],
            "vatNumber": question["vatNumber"],
            "requestDate": "2026-01-31T09:00:00.000Z",
            "valid": valid,
            "requestIdentifier": f"WAPIAAAAX{len(self.asked):07}" if valid and named else "",
            "name": "---",
            "address": "---",
        }


class _Request(BaseHTTPRequestHandler):
    registers: Registers

    def do_GET(self) -> None:
        history = "hist" in self.path
        self.registers.asked.append(self.path)
        if self.registers.down is not None:
            self._say(503, b"")
            return
        self._say(200, self.registers.published(history=history).encode())

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(200, json.dumps(self.registers.answer(question)).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def registers() -> Iterator[Registers]:
    """Open on a port of its own until the end of the block."""
    made = Registers()
    handler = type("_RequestTo", (_Request,), {"registers": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
