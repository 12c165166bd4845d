"""Windows: a list of the provider is read a span of time after another, the oldest first, as wide as it is quiet.

A window that shows too much is given up and read in narrower ones: whoever is interrupted in a busy hour goes on in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.kernel.errors import Fault, Refused


@dataclass(frozen=True, slots=True)
class Pace:
    """How wide windows are, and of how many objects: with fewer than `few` the next is twice as wide, at `many` one is
    given up, or followed by one a fourth as wide where it is as narrow as can be.
    """

    first: timedelta
    narrow: timedelta
    wide: timedelta
    few: int
    many: int


def not_before(low: datetime, *, now: datetime, back_s: float) -> datetime:
    """Where reading may begin: a list refuses what is more than `back_s` seconds ago. Infinite: it refuses nothing."""
    oldest = now.timestamp() - back_s
    return low if low.timestamp() >= oldest else datetime.fromtimestamp(oldest, UTC)


def passed(since: datetime | None, *, now: datetime) -> None:
    """Raises `Refused` (`in_the_future`) where a person asks from an instant on that is still to come."""
    if since is not None and since > now:
        raise Refused(Fault("since", "in_the_future", "give an instant that has passed, in business time"))


def walk(
    start: datetime,
    end: datetime,
    *,
    pace: Pace,
    take: Callable[[datetime, datetime], Iterator[int]],
    whole: Callable[[datetime, datetime], None],
    budget_s: float | None = None,
    hurries_to: datetime | None = None,
) -> datetime:
    """Read [start, end) window by window. Returns how far; before the end only where `budget_s` wall seconds were over.

    Beyond `hurries_to`, where that is given, they end nothing: what is read there is not noted, and would be begun anew
    each time.

    `take` takes in what was created in a window, a page at a time, and says how many objects each had; it may be asked
    of a part of the same again. `whole` is told of each window that was taken to its end. Raises what they raise.
    """
    reached, width = start, pace.first
    ends = time.monotonic() + (math.inf if budget_s is None else budget_s)
    while reached < end:
        width = min(width, end - reached)
        until, seen = reached + width, 0
        for count in take(reached, until):
            seen += count
            if seen >= pace.many and width > pace.narrow:
                break
        else:
            whole(reached, until)
            reached = until
            # Not where a window was given up: the next sweep would give up the same one again, and so for ever.
            if time.monotonic() > ends and (hurries_to is None or reached < hurries_to):
                break
        width = (
            max(pace.narrow, width / 4)
            if seen >= pace.many
            else min(pace.wide, width * 2)
            if seen < pace.few
            else width
        )
    return reached
