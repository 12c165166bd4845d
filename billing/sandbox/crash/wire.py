"""A proxy in front of the broker whose connections can be cut, or fall silent without being closed."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
_CHUNK = 65536


class Wire:
    """Listens on loopback and passes on to the broker's Unix socket."""

    def __init__(self, broker: Path) -> None:
        self._broker = broker
        self._listener = socket.create_server((HOST, 0))
        self._lock = threading.Lock()
        self._open: list[_Link] = []
        threading.Thread(target=self._accept, name="broker-proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """The address for Celery."""
        return f"redis://{HOST}:{self._listener.getsockname()[1]}/0"

    def cut(self) -> None:
        """Close every connection; new ones work."""
        for link in self._taken():
            link.close()

    def silence(self) -> None:
        """Let nothing through on the connections that there are, and keep them open; new ones work."""
        for link in self._taken():
            link.silent.set()

    def close(self) -> None:
        """Cut everything and take no further connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _taken(self) -> list[_Link]:
        with self._lock:
            taken, self._open = self._open, []
        return taken

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    server.connect(str(self._broker))
                except OSError:
                    client.close()
                    continue
                link = _Link(client, server)
                with self._lock:
                    self._open.append(link)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=link.carry, args=(source, target), daemon=True).start()


class _Link:
    """One client's connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = (client, server)
        self.silent = threading.Event()

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        """One direction, as it comes."""
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if self.silent.is_set():
                    continue
                target.sendall(data)
        if not self.silent.is_set():
            self.close()

    def close(self) -> None:
        """Both ends."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
