"""An answer that breaks off, or is no HTTP to its end, says nothing: it is asked for again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from billing.kernel.errors import Unavailable
from billing.providers.road import Road
from billing.registers.rates import Ecb
from billing.registers.vat import Question, Vies

ROAD = Road(connect_s=2, read_s=2)
ASKED: dict[str, Callable[[str], object]] = {
    "vies": lambda url: Vies(ROAD.send, base=url).ask(Question("FR23334175221")),
    "ecb": lambda url: Ecb(ROAD.send, base=url).read(history=False),
}


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """A server that says this once and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65_536)
                line.sendall(said)

        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


@pytest.mark.parametrize("register", ASKED)
@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 1000\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    ],
    ids=["cut_off", "bad_chunk", "bad_gzip"],
)
def test_a_broken_answer_is_none(register: str, headers: bytes) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n" + headers) as url, pytest.raises(Unavailable):
        ASKED[register](url)
