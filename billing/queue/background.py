"""Messages that leave by a thread of their own: who commits with somebody waiting never waits for the broker."""

from __future__ import annotations

import os
import time
from collections import deque
from threading import Condition, Thread

import structlog

from billing.queue.buffer import Message, Transport
from billing.queue.names import INBOX_PROCESS

_log = structlog.get_logger(__name__)

MOST = 10_000
"""Messages that wait at most; further ones are dropped, for a sweep finds their rows."""
TOGETHER = 100
"""Events that one message names at most, where several leave at once."""

PAUSE_S = 0.01
"""Between two sendings: what is committed meanwhile travels together. A message costs more than storing its event."""


class Background:
    """A transport before another one. Its thread starts with the first message, in the process that sends it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting: deque[Message] = deque()
        self._changed = Condition()
        self._pid: int | None = None

    def send(self, messages: list[Message]) -> None:
        """Take them over; raises nothing."""
        with self._changed:
            room = MOST - len(self._waiting)
            self._waiting.extend(messages[:room])
            if self._pid != os.getpid():
                self._pid = os.getpid()
                Thread(target=self._run, name="messages", daemon=True).start()
            self._changed.notify()
        if len(messages) > room:
            _log.warning("messages_dropped", messages=len(messages) - room)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                taken = list(self._waiting)
                self._waiting.clear()
            try:
                self._transport.send(joined(taken))
            except Exception as error:  # noqa: BLE001 (whatever a broker client raises: the sweep finds the rows)
                _log.warning("broker_unreachable", messages=len(taken), error=type(error).__name__)
            time.sleep(PAUSE_S)


def joined(messages: list[Message]) -> list[Message]:
    """The same in fewer messages: events to be handled travel together."""
    made: list[Message] = []
    for task, ids in messages:
        last = made[-1] if made else None
        if last and task == last[0] == INBOX_PROCESS and len(last[1]) + len(ids) <= TOGETHER:
            made[-1] = (task, last[1] + ids)
        else:
            made.append((task, ids))
    return made
