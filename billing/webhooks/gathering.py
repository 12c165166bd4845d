"""Gathering: deliveries that arrive while others are being stored are stored together next, in one transaction.

Whoever finds nobody storing takes all that wait, its own among them; the others wait for their answer. So a single
delivery is stored at once, and many at a time cost one commit, not one each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition
from typing import Generic, TypeVar

MOST = 64
"""So many are stored together at most: memory stays bounded, and nobody waits for a long transaction."""

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """`store` takes some at once and answers each, in order. For many threads."""

    def __init__(self, store: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._store = store
        self.waiting: list[tuple[T, Future[R]]] = []
        self._storing = False
        self._changed = Condition()

    def give(self, item: T) -> R:
        """Store it with whatever else waits, and return its own answer. What `store` raises is raised to all."""
        answer: Future[R] = Future()
        with self._changed:
            self.waiting.append((item, answer))
        while not answer.done():
            with self._changed:
                while self._storing and not answer.done():
                    self._changed.wait()
                if answer.done():
                    break
                self._storing = True
                together, self.waiting = self.waiting[:MOST], self.waiting[MOST:]
            try:
                self._carry_out(together)
            finally:
                with self._changed:
                    self._storing = False
                    self._changed.notify_all()
        return answer.result()

    def _carry_out(self, together: Sequence[tuple[T, Future[R]]]) -> None:
        try:
            results = self._store([item for item, _ in together])
        except BaseException as error:  # noqa: BLE001 (each of those who wait is told, the one who stores among them)
            for _, answer in together:
                answer.set_exception(error)
            return
        for (_, answer), result in zip(together, results, strict=True):
            answer.set_result(result)
