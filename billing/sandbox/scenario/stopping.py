"""Being told to stop. A play ends between two pieces of work: within one, a connection would be left in the middle of a
statement, and flows that see it break do what they do when a database is lost: try again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopping:
    """What this process was told, if anything."""

    def __init__(self) -> None:
        self._told: int | None = None
        self._at_work = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within it signals end it in order: what is open is closed, scratch databases are dropped."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        try:
            yield
        finally:
            self._told = None
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within it the first signal waits for `pause`; a second one does not."""
        self._at_work = True
        try:
            yield
        finally:
            self._at_work = False

    def pause(self) -> None:
        """Between two pieces of work: end here, if that was asked for."""
        if self._told is not None:
            self._end(self._told)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self._at_work and self._told is None:
            self._told = number
        else:
            self._end(number)

    def _end(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


STOPPING = _Stopping()
