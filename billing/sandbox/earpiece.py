"""A host application's endpoint on the standard library alone: keeps what it hears, and answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class Heard:
    """One request: its headers (names in lower case) and its body, as it came and as it reads."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass
class Earpiece:
    """What came, and what is answered: a status for all, or by the object's id, and a body."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    status: int = 204
    status_of: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every answer."""
    body: bytes = b""
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=billing"

    def hear(self, heard: Heard) -> int:
        with self.lock:
            self.heard.append(heard)
        return self.status_of.get(heard.event["object"]["id"], self.status) if self.status_of else self.status


class _Request(BaseHTTPRequestHandler):
    ear: Earpiece

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.ear.hear(Heard({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(status)
        for name, value in self.ear.headers.items():
            self.send_header(name, value)
        if self.ear.body:
            self.send_header("Content-Length", str(len(self.ear.body)))
        self.end_headers()
        self.wfile.write(self.ear.body)

    def log_message(self, *_: Any) -> None:
        """Nothing: what was heard is kept."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def earpiece(ear: Earpiece | None = None) -> Iterator[Earpiece]:
    """A server on a free port of this machine; `ear` in place of a plain one."""
    ear = ear or Earpiece()
    with _Server(("127.0.0.1", 0), type("Request", (_Request,), {"ear": ear})) as server:
        ear.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield ear
        finally:
            server.shutdown()
            thread.join(5)
