"""A proxy in front of PostgreSQL that cuts a connection when a COMMIT was carried out and its answer not yet told."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import URL, make_url

from billing.sandbox.probes import HOST

_HEAD = 5
"""Bytes before a message's body: its type and its length."""
_WRITES = re.compile(rb"(?:INSERT INTO|UPDATE|DELETE FROM|COPY)\s+(?:ONLY\s+)?billing\.(\w+)", re.IGNORECASE)
_UNTOLD = b"heartbeat"
"""The table of a transaction that every tick makes; cutting it would prove nothing."""


@dataclass(slots=True)
class _Session:
    """What one client has said so far: its statements by name, and the tables of its open transaction."""

    statements: dict[bytes, bytes] = field(default_factory=dict)
    tables: dict[bytes, None] = field(default_factory=dict)

    def hears(self, kind: bytes, body: bytes) -> str | None:
        """Take in a message. Returns the label of the transaction that it commits, if it does and there were writes."""
        sql = self._sql(kind, body)
        if sql is None:
            return None
        for table in _WRITES.findall(sql):
            self.tables[table] = None
        word = sql.lstrip()[:8].upper()
        if word.startswith((b"COMMIT", b"ROLLBACK")):
            tables, self.tables = list(self.tables), {}
            if word.startswith(b"COMMIT") and tables and tables != [_UNTOLD]:
                return "+".join(table.decode() for table in sorted(tables))
        return None

    def _sql(self, kind: bytes, body: bytes) -> bytes | None:
        match kind:
            case b"Q":
                return body
            case b"P":
                name, sql = body.split(b"\0", 2)[:2]
                self.statements[name] = sql
                # An unnamed statement is run at once, a named one again and again, each time it is bound.
                return None
            case b"B":
                return self.statements.get(body.split(b"\0", 2)[1])
        return None


class Proxy:
    """Listens on loopback and passes on to the database at `url`.

    Transactions that wrote are labelled by their tables. The `hit`-th commit of the one labelled `cut` is carried out
    by the server; then both ends are closed without its answer, once.
    """

    def __init__(self, url: str, *, cut: str | None = None, hit: int = 1) -> None:
        self._target = make_url(url)
        self._cut, self._hit = cut, hit
        self._lock = threading.Lock()
        self.commits: list[str] = []
        """Labels of all commits seen, in order."""
        self.was_cut = False
        self._listener = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, name="postgres-proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """The address for clients. Nothing is encrypted on this way, so that it can be read."""
        port = self._listener.getsockname()[1]
        query = {"sslmode": "disable", "gssencmode": "disable"}
        through = self._target.set(host=HOST, port=port, query=query)
        return through.render_as_string(hide_password=False)

    def close(self) -> None:
        """Cut everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = _connect(self._target)
                self._open += [client, server]
                link = _Link(self, client, server)
                threading.Thread(target=link.requests, daemon=True).start()
                threading.Thread(target=link.answers, daemon=True).start()

    def commits_now(self, label: str) -> bool:
        """Note a commit; True where its answer must get lost."""
        with self._lock:
            self.commits.append(label)
            if self.was_cut or label != self._cut or Counter(self.commits)[label] != self._hit:
                return False
            self.was_cut = True
            return True


class _Link:
    """One client's connection, in two directions, each read by a thread of its own."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._losing = threading.Event()

    def requests(self) -> None:
        """Client to server, message by message."""
        session = _Session()
        with suppress(OSError, _Ended):
            # The first message has no type, only its length.
            length = _read(self._client, 4)
            self._server.sendall(length + _read(self._client, int.from_bytes(length) - 4))
            while True:
                head = _read(self._client, _HEAD)
                body = _read(self._client, int.from_bytes(head[1:]) - 4)
                label = session.hears(head[:1], body)
                if label is not None and self._proxy.commits_now(label):
                    self._losing.set()
                self._server.sendall(head + body)
        _close(self._server)

    def answers(self) -> None:
        """Server to client, as they come, until the answer that is to be lost."""
        with suppress(OSError):
            while data := self._server.recv(65536):
                if self._losing.is_set():
                    # The server says a word only when the commit is done.
                    break
                self._client.sendall(data)
        _close(self._client)
        _close(self._server)


class _Ended(Exception):
    """The other end closed."""


def _read(end: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = end.recv(count - len(data))
        if not part:
            raise _Ended
        data += part
    return bytes(data)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _connect(target: URL) -> socket.socket:
    folder = target.query.get("host")
    if isinstance(folder, str):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(f"{folder}/.s.PGSQL.{target.port or target.query.get('port') or 5432}")
        return server
    return socket.create_connection((target.host or HOST, target.port or 5432))
