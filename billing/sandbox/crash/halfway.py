"""A proxy in front of the stand-in that lets answers break off in the middle, or answers in the provider's place."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from billing.sandbox.probes import HOST

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
"""To linger for no time: closing then resets the connection instead of ending it in order."""


class Halfway:
    """Passes on to `url`. The first `times` requests that begin with `to` are hit.

    Their answer breaks off after `after` bytes; or, with `instead`, that is answered in its place: the request is
    `forwarded` and done all the same, or never arrives.
    """

    def __init__(
        self,
        url: str,
        *,
        to: bytes,
        after: int = 0,
        instead: bytes | None = None,
        times: int = 1,
        forwarded: bool = True,
    ) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or HOST, parts.port or 80)
        self._to, self._after, self._instead = to, after, instead
        self._times, self._forwarded = times, forwarded
        self._lock = threading.Lock()
        self.hits = 0
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, name="stripe-proxy", daemon=True).start()

    @property
    def broke(self) -> bool:
        """Whether any request was hit."""
        return self.hits > 0

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Take no further connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        breaking = threading.Event()
        with suppress(OSError), client, socket.create_connection(self._target) as server:
            answers = threading.Thread(target=self._answers, args=(server, client, breaking), daemon=True)
            answers.start()
            while request := client.recv(_CHUNK):
                if request.startswith(self._to) and self._is_hit():
                    if not self._forwarded and self._instead is not None:
                        client.sendall(self._instead)
                        break
                    breaking.set()
                server.sendall(request)
            server.shutdown(socket.SHUT_WR)
            answers.join()

    def _answers(self, server: socket.socket, client: socket.socket, breaking: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(_CHUNK):
                if breaking.is_set():
                    if self._instead is not None:
                        client.sendall(self._instead)
                        break
                    client.sendall(answer[: self._after])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)

    def _is_hit(self) -> bool:
        with self._lock:
            if self.hits == self._times:
                return False
            self.hits += 1
            return True
