"""A mail server on the standard library alone: takes what it is told to take, and keeps it."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread


@dataclass
class Postbox:
    """What arrived, and what is answered instead of 250, by command: `{"RCPT": "550 no such user"}`."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=list)
    """What EHLO is answered with, beside 250."""
    on_message: Callable[[EmailMessage], object] = lambda _: None
    """Called while the sender still waits for its answer."""
    deaf: bool = False
    """It takes the message, and the line breaks before it has said so."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Talk(socketserver.StreamRequestHandler):
    box: Postbox

    def handle(self) -> None:
        self._say("220 postbox")
        while line := self.rfile.readline():
            command = line.decode().strip()
            verb = command[:4].upper()
            if verb in self.box.answers:
                self._say(self.box.answers[verb])
            elif verb == "EHLO":
                *first, last = ["postbox", *self.box.extensions]
                for each in first:
                    self._say(f"250-{each}")
                self._say(f"250 {last}")
            elif verb == "RCPT":
                self.box.recipients.append(command.partition("<")[2].partition(">")[0])
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                self._take()
                if self.box.deaf:
                    return
                self._say("250 taken")
            else:
                self._say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _take(self) -> None:
        body = b""
        while (line := self.rfile.readline()) != b".\r\n":
            body += line.removeprefix(b".")
        message = message_from_bytes(body, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.box.messages.append(message)
        self.box.on_message(message)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def postbox() -> Iterator[Postbox]:
    """A server on a free port of this machine."""
    box = Postbox()
    talk = type("Talk", (_Talk,), {"box": box})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), talk) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join(5)
