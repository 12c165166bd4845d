"""Hold: how long what a worker has taken is its own, seen from within the worker.

A process may stand still for hours and know nothing of it: it was stopped, its machine slept, its host was paused.
Others have taken its work over by then, and a key that it was about to send may be one that the provider has forgotten.
"""

from __future__ import annotations

import time


class Hold:
    """So many seconds from now on, by the clock that saw more of them: one stands in a sleep, the other may be set."""

    __slots__ = ("_seconds", "_steady", "_wall")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._steady, self._wall = time.monotonic(), time.time()

    @property
    def over(self) -> bool:
        """Whether it is too late to begin anything with what was taken."""
        return max(time.monotonic() - self._steady, time.time() - self._wall) >= self._seconds
