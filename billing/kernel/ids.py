"""Ids: time-ordered UUIDs (version 7, RFC 9562), so that rows written together lie together in their indexes.

The first 60 bits are wall time in steps of 1/4096 ms (about 244 ns), the last 62 are random. Within a process the time
part strictly rises, also when the clock stands still or is set back. Ids order roughly and are no secrets.

Wall time is the database's: what is told of one thing is told in the order of ids, whichever host wrote it.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from datetime import datetime
from uuid import UUID, SafeUUID

_TICKS_PER_MS = 4096
_TOLERATED_NS = 100_000_000
"""More than it takes to ask for the time."""
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_62 = (1 << 62) - 1
_blank = UUID.__new__
_put = object.__setattr__


class _Ticks:
    """Hands out runs of ticks, no tick twice in a process."""

    __slots__ = ("_last", "_lock", "offset_ns")

    def __init__(self) -> None:
        self._last = 0
        self.offset_ns = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> int:
        """Reserve `count` ticks in a row and return the first."""
        with self._lock:
            first = (time.time_ns() + self.offset_ns) * _TICKS_PER_MS // 1_000_000
            if first <= self._last:
                first = self._last + 1
            self._last = first + count - 1
            return first

    def after_fork(self) -> None:
        # The parent's lock may have been held by a thread that does not exist in the child.
        self._lock = threading.Lock()


_ticks = _Ticks()
os.register_at_fork(after_in_child=_ticks.after_fork)


def keep_to(wall_ns: int) -> None:
    """Go by another clock, which shows `wall_ns` (nanoseconds since 1970) now, if this host's is off by much."""
    offset_ns = wall_ns - time.time_ns()
    _ticks.offset_ns = offset_ns if abs(offset_ns) > _TOLERATED_NS else 0


def new_ids(count: int) -> list[UUID]:
    """Return `count` new ids in rising order. Safe across threads and forks."""
    if count <= 0:
        return []
    tick = _ticks.take(count)
    # Fresh kernel randomness each time: forked siblings share no generator state.
    randoms = array("Q", os.urandom(8 * count))
    ids = []
    for random in randoms:
        value = (tick >> 12) << 80 | _VERSION_7 | (tick & 0xFFF) << 64 | _VARIANT | random & _RANDOM_62
        # UUID's constructor checks and branches for a microsecond; its two slots are all that it sets.
        made = _blank(UUID)
        _put(made, "int", value)
        _put(made, "is_safe", SafeUUID.unknown)
        ids.append(made)
        tick += 1
    return ids


def new_id() -> UUID:
    """Return one new id. See `new_ids`."""
    return new_ids(1)[0]


def lowest_id_at(instant: datetime) -> UUID:
    """The lowest id that can have been made at this wall time or later: bounds a read of a table by its key."""
    milliseconds = int(instant.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | _VERSION_7 | _VARIANT)
