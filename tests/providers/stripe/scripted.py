"""A server on a real socket that says exactly the bytes it is told to: broken answers that no stand-in would give."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class Scripted:
    """`answer` speaks for every connection; `heard` are the requests so far."""

    answer: Handler
    address: str = ""
    heard: list[Heard] = field(default_factory=list)


def says(body: bytes | str, *, status: int = 200, content_type: str = "application/json", **headers: str) -> Handler:
    """A whole, well-framed answer. Header names use `_` for `-`."""
    raw = body.encode() if isinstance(body, str) else body
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(raw)}\r\n"

    def handler(peer: socket.socket) -> None:
        peer.sendall((head + extra + "Connection: close\r\n\r\n").encode() + raw)

    return handler


def says_json(value: Any, *, status: int = 200, **headers: str) -> Handler:
    """A JSON answer."""
    return says(json.dumps(value), status=status, **headers)


def says_error(status: int, *, headers: Any = None, **error: Any) -> Handler:
    """An error in Stripe's shape."""
    return says_json({"error": {"type": "invalid_request_error", **error}}, status=status, **(headers or {}))


def resets(peer: socket.socket) -> None:
    """Takes the request and cuts the connection with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(peer: socket.socket) -> None:
    """Takes the request and hangs up without a word."""


def stops_in_mid_body(peer: socket.socket) -> None:
    """Promises more than it sends."""
    peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"id": "pi_1",')


def never_ends(peer: socket.socket) -> None:
    """A body without an end, as fast as the caller reads."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    chunk = b'"x",' * 16_384
    with contextlib.suppress(OSError):
        while True:
            peer.sendall(chunk)


def is_silent(peer: socket.socket) -> None:
    """Takes the request and says nothing until the caller hangs up."""
    with contextlib.suppress(OSError):
        peer.settimeout(10)
        peer.recv(1)


@contextlib.contextmanager
def scripted(answer: Handler = closes) -> Iterator[Scripted]:
    """The server, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(answer=answer, address=f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_serve, args=(listener, server), daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, server: Scripted) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(peer, server), daemon=True).start()


def _talk(peer: socket.socket, server: Scripted) -> None:
    with peer, contextlib.suppress(OSError):
        heard = _read_request(peer)
        if heard is not None:
            server.heard.append(heard)
            server.answer(peer)


def _read_request(peer: socket.socket) -> Heard | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = peer.recv(65_536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rows = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    while len(body) < int(headers.get("content-length", "0")):
        body += peer.recv(65_536)
    return Heard(line=line, headers=headers, body=body.decode())
