"""Whether database and broker answer. Anybody may ask, so what was found is told again for a second."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from time import monotonic

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.flows.parts import Parts
from billing.kernel.errors import Unavailable
from billing.queue.depths import reach

HOLDS_S = 1.0
"""So long (wall) an answer is told again."""


class Readiness:
    """Of this process. Who asks while another looks waits for what that finds."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._lock = parts, Lock()
        self._found: Mapping[str, bool] = {}
        self._until = 0.0

    def look(self) -> Mapping[str, bool]:
        """By name: does it answer?"""
        with self._lock:
            if not self._found or monotonic() >= self._until:
                self._found = {"database": self._database(), "broker": self._broker()}
                self._until = monotonic() + HOLDS_S
            return self._found

    def _database(self) -> bool:
        try:
            with self._parts.begin() as session:
                session.execute(text("SELECT 1"))
        except (DBAPIError, PoolTimeout):
            return False
        return True

    def _broker(self) -> bool:
        try:
            reach(self._parts.settings.broker_url or "")
        except Unavailable:
            return False
        return True
