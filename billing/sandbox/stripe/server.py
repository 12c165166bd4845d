"""The stand-in over HTTP: waitress on loopback, with enough threads for callers that are kept waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from threading import Event, Lock, Thread
from typing import Any

import waitress  # type: ignore[import-untyped]
from waitress import wasyncore
from waitress.channel import ClientDisconnected  # type: ignore[import-untyped]

from billing.sandbox.stripe.app import Application, create_app, stand_in_of
from billing.sandbox.stripe.background import Background
from billing.sandbox.stripe.faults import NoAnswer
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.store import Store

THREADS = 64
_POLL_S = 1
Make = Callable[..., Application]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Server:
    """A stand-in that listens. `run` blocks until `stop` is called from elsewhere."""

    def __init__(
        self,
        store: Store,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int | None = None,
        make: Make = create_app,
        threads: int = THREADS,
    ) -> None:
        """`make` makes the application: this stand-in, or another provider's; `threads`: so many calls at once."""
        if not is_loopback(host):
            raise ValueError("the stand-in listens on loopback only")
        app = make(store, seed=seed)
        self.stand_in: StandIn = stand_in_of(app)
        self._background = Background(self.stand_in)
        self._stopping = Event()
        self._ending = Lock()
        self._sockets: dict[int, Any] = {}
        # A look-ahead of one lets waitress notice, while a request is held, that its caller has hung up.
        self._server = waitress.create_server(
            _hanging_up(app),
            map=self._sockets,
            host=host,
            port=port,
            threads=threads,
            connection_limit=1000,
            channel_request_lookahead=1,
            ident=None,
        )
        self.url = f"http://{host}:{self._server.effective_port}"
        with store.transaction() as tx:
            tx.set("origin", self.url)

    def run(self) -> None:
        """Serve until `stop`, or until an interruption of this thread; then end in good order."""
        self._background.start()
        try:
            while not self._stopping.is_set():
                wasyncore.loop(timeout=_POLL_S, use_poll=True, map=self._sockets, count=1)
        finally:
            self._end()

    def stop(self) -> None:
        """Let `run` return; called from another thread."""
        with self._ending:
            if not self._stopping.is_set():
                self._stopping.set()
                self._server.pull_trigger()

    def _end(self) -> None:
        with self._ending:
            self._stopping.set()
        # The callers go first, which ends what is held for them; the workers next; what the workers write to, last.
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.task_dispatcher.shutdown()
        self._server.close()
        self._background.stop()
        self.stand_in.store.close()


def is_loopback(host: str) -> bool:
    """Whether this is an IPv4 address that only this machine can reach."""
    try:
        return IPv4Address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def serving(
    store: Store, *, seed: int | None = None, make: Make = create_app, threads: int = THREADS
) -> Iterator[Server]:
    """A stand-in in a thread, on a free port, for the length of the block."""
    server = Server(store, seed=seed, make=make, threads=threads)
    thread = Thread(target=server.run, name="stand-in-http", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _hanging_up(app: Wsgi) -> Wsgi:
    """Turn `NoAnswer` into what makes waitress close the connection without a word."""

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except NoAnswer as why:
            raise ClientDisconnected from why

    return call
