"""How often one visitor may ask this process for something that costs: a fixed window, and a bounded memory."""

from __future__ import annotations

import threading
import time

WINDOW_S = 60.0
MOST = 60
"""Requests with one link."""
MOST_BY_ADDRESS = 300
"""Requests from one address: an office of customers behind one, and far too few to guess at links."""
_REMEMBERED = 10_000


class Window:
    """Counts by name within a minute of wall time. Beside it the database counts tries, for all processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._counts: dict[str, int] = {}

    def allows(self, name: str, *, most: int) -> bool:
        """Count one more; False where that is too many."""
        with self._lock:
            if time.monotonic() - self._began > WINDOW_S or len(self._counts) >= _REMEMBERED:
                self._began, self._counts = time.monotonic(), {}
            self._counts[name] = self._counts.get(name, 0) + 1
            return self._counts[name] <= most
