"""Gathering: deliveries that arrive while others are being stored are stored together next, in one transaction.

Whoever finds nobody storing takes all that wait, its own among them; the others wait for their answer. So a single
delivery is stored at once, and many at a time cost one commit, not one each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

MOST = 64
"""So many are stored together at most: memory stays bounded, and nobody waits for a long transaction."""

T = TypeVar("T")
R = TypeVar("R")


class _Given(Generic[T, R]):
    """What one thread gave. It sleeps on a lock of its own, so that nobody is woken for the answer of another."""

    __slots__ = ("answer", "error", "item", "leads", "wake")

    answer: R
    """Set where there is no error."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.error: BaseException | None = None
        self.leads = False
        """It is not answered yet: its turn to store has come."""
        self.wake = Lock()
        self.wake.acquire()


class Gathering(Generic[T, R]):
    """`store` takes some at once and answers each, in order. For many threads."""

    def __init__(self, store: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._store = store
        self.waiting: deque[_Given[T, R]] = deque()
        self._storing = False
        self._lock = Lock()

    def give(self, item: T) -> R:
        """Store it with whatever else waits, and return its own answer. What `store` raises is raised to all."""
        given: _Given[T, R] = _Given(item)
        with self._lock:
            self.waiting.append(given)
            given.leads, self._storing = not self._storing, True
        if not given.leads:
            given.wake.acquire()
        if given.leads:
            self._lead()
        if given.error is not None:
            raise given.error
        return given.answer

    def _lead(self) -> None:
        """Store those who wait, the leader first among them, and wake the next leader before those who are answered."""
        with self._lock:
            together = [self.waiting.popleft() for _ in range(min(MOST, len(self.waiting)))]
        try:
            self._carry_out(together)
        finally:
            with self._lock:
                following = self.waiting[0] if self.waiting else None
                self._storing = following is not None
            if following is not None:
                following.leads = True
                following.wake.release()
            for each in together[1:]:
                each.wake.release()

    def _carry_out(self, together: Sequence[_Given[T, R]]) -> None:
        try:
            for each, answer in zip(together, self._store([each.item for each in together]), strict=True):
                each.answer = answer
        except BaseException as error:  # noqa: BLE001 (each of those who wait is told, the one who stores among them)
            for each in together:
                each.error = error
