"""Whether a worker still hears its broker: one that is quiet is sent messages, and silence after them is deafness."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_PINGS = 3
"""A broker that dies or is emptied takes a message along: only so many unanswered ones in a row prove anything."""


class Sight(StrEnum):
    """What a look found. `ask`: send the worker a message, then note it by `asked`."""

    WELL = "well"
    ASK = "ask"
    DEAF = "deaf"


@dataclass(slots=True)
class Watch:
    """All times are seconds of one clock that never goes back.

    `quiet_s`: so long may no message come before one is sent; `answer_s`: so long it may take to come back. Deafness
    shows after `quiet_s + MOST_PINGS * answer_s`. `step_s`: how often `look` is meant to be called.
    """

    quiet_s: float
    answer_s: float
    step_s: float
    heard_at: float
    asked_at: float | None = None
    pings: int = 0
    looked_at: float | None = None

    def hear(self, now: float) -> None:
        """A message came."""
        self.heard_at, self.asked_at, self.pings = now, None, 0

    def ask(self, now: float) -> None:
        """A message was sent, and the broker took it."""
        self.asked_at, self.pings = now, self.pings + 1

    def look(self, now: float, *, busy: bool) -> Sight:
        """`busy`: a task runs, so that no message need come."""
        frozen = self.looked_at is not None and now - self.looked_at > 3 * self.step_s + self.answer_s
        self.looked_at = now
        if busy or frozen:
            # Whoever was stopped himself has heard nobody, which says nothing about the broker.
            self.hear(now)
            return Sight.WELL
        if now - self.heard_at <= self.quiet_s or (self.asked_at is not None and now - self.asked_at <= self.answer_s):
            return Sight.WELL
        return Sight.DEAF if self.pings >= MOST_PINGS else Sight.ASK
