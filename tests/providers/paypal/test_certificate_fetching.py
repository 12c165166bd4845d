"""PayPal's certificate comes whole, or is away: then the event is delivered again later."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from billing.providers.paypal.client import fetched
from billing.providers.road import Road
from tests.registers.test_broken_answers import ROAD, answering

IMPATIENT = Road(connect_s=0.3, read_s=0.3)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@contextmanager
def dripping(said: bytes) -> Iterator[str]:
    """A server that says this, and then for as long as anybody listens a byte at a time, if it has begun at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(said)
                for _ in range(50):
                    time.sleep(0.1)
                    try:
                        line.sendall(b"-" if said else b"")
                    except OSError:
                        return

        Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_certificate_that_breaks_off_is_away() -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n-----BEGIN") as url,
        pytest.raises(OSError, match="Error"),
    ):
        fetched(ROAD, url)


@pytest.mark.parametrize("said", [b"", HEAD], ids=["silent", "dripping"])
def test_whoever_delivers_does_not_wait_for_a_certificate_that_does_not_come(said: bytes) -> None:
    began = time.monotonic()
    with dripping(said) as url, pytest.raises(OSError, match=r"ReadTimeout|BodyTooSlow"):
        fetched(IMPATIENT, url)
    assert time.monotonic() - began < 2
