"""Rate: how many calls a second a provider is sent, and whose turn it is. Pure; every instant is wall time.

A permit is a moment: calls are spaced evenly, so that no second of the provider's sees more than the rate, whichever
process they come from. What is granted moves `next_at`; how far into the future a rank may promise decides its
priority, for what lies between its own lead and a higher one's is the reserve of the higher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

HEADROOM = 0.97
"""Of a limit: networks bunch calls that left evenly spaced."""
DECREASE, DECREASE_AGAIN = 0.85, 0.7
"""What a 429 leaves of the rate, at most once in `SLOWED_ONCE_S`: one by itself, and one soon after another."""
SLOWED_ONCE_S, SOON_S = 0.5, 2.0
LEAST = 0.01
"""Of a limit: slower it never gets."""
GROWTH_S = 0.04
"""Of a limit, added each second after a 429."""
NEAR, NEAR_GROWTH = 0.9, 0.25
"""From this part of the rate that last met a 429, growth is a quarter: the limit is somewhere here."""
MOST_HOLD_S = 300.0
"""A `Retry-After` is honoured up to this."""
BLOCK_S = 0.25
"""A process is given permits for so much time at once."""
LEAST_WAIT_S = 0.01
LATE_S = 0.05
"""A moment that passed unused may be made up for if it is no older."""
WANDERS_S = 1.0
"""A clock that is kept right is never put back by more at once."""
ASSURED = 0.1
"""Part of the rate that the lowest ranks get however much the others want."""


class Rank(IntEnum):
    """Who asks; the lower the number, the sooner."""

    ON_SESSION = 0
    """Somebody waits for the answer."""
    RESOLVER = 1
    CHARGES = 2
    REREADS = 3
    RECONCILE = 4


LEAD_S = {Rank.ON_SESSION: 2.0, Rank.RESOLVER: 1.0, Rank.CHARGES: 0.5, Rank.REREADS: 0.25, Rank.RECONCILE: 0.1}
"""How far ahead of now the calls already promised may reach for a further one to be promised to this rank."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The state of one bucket."""

    limit_per_s: float
    """What the provider allows, by setting."""
    rate_per_s: float
    ceiling_per_s: float | None
    """The rate that last met a 429."""
    grown_at: datetime
    slowed_at: datetime | None
    next_at: datetime
    """The first moment that is not promised yet."""
    assured_at: datetime
    """From when on the lowest ranks' own part holds a permit."""
    held_until: datetime | None
    """By the provider's `Retry-After`."""
    counted_from: datetime
    counted: int
    """Permits since then."""
    measured_per_s: float
    """Permits a second before that."""


@dataclass(frozen=True, slots=True)
class Wait:
    """No permit now; ask again after so many seconds. `held`: it is the provider's wish, not others' calls."""

    seconds: float
    held: bool = False


def begun(limit_per_s: float, *, now: datetime) -> Pace:
    """A bucket that nothing is known of."""
    return Pace(limit_per_s, limit_per_s * HEADROOM, None, now, None, now, now, None, now, 0, 0.0)


def stepped_back_s(pace: Pace, *, now: datetime) -> float:
    """How far the clock was put back since the bucket was last touched: 0 unless it is more than it may wander."""
    back_s = (pace.grown_at - now).total_seconds()
    return back_s if back_s > WANDERS_S else 0.0


def put_back(pace: Pace, *, seconds: float) -> Pace:
    """The same bucket under a clock that was put back by so much: what it promised is as far ahead as it was."""
    back = timedelta(seconds=seconds)
    return replace(
        pace,
        grown_at=pace.grown_at - back,
        slowed_at=pace.slowed_at and pace.slowed_at - back,
        next_at=pace.next_at - back,
        assured_at=pace.assured_at - back,
        held_until=pace.held_until and pace.held_until - back,
        counted_from=pace.counted_from - back,
    )


def grown(pace: Pace, limit_per_s: float, *, now: datetime) -> Pace:
    """The same after some time without a 429, under the limit that is set today."""
    most = limit_per_s * HEADROOM
    elapsed_s = max(0.0, (now - pace.grown_at).total_seconds())
    step = GROWTH_S * limit_per_s
    rate, ceiling = pace.rate_per_s, pace.ceiling_per_s
    if ceiling is not None:
        fast_s = min(elapsed_s, max(0.0, (ceiling * NEAR - rate) / step))
        rate += step * fast_s + step * NEAR_GROWTH * (elapsed_s - fast_s)
    if ceiling is None or rate >= most:
        rate, ceiling = most, None
    return replace(pace, limit_per_s=limit_per_s, rate_per_s=rate, ceiling_per_s=ceiling, grown_at=now)


def slowed(pace: Pace, *, now: datetime, retry_after_s: float | None) -> Pace:
    """The same after a 429: multiplied down, and held for as long as the provider wishes."""
    held = pace.held_until
    if retry_after_s:
        until = now + timedelta(seconds=min(retry_after_s, MOST_HOLD_S))
        held = max(until, held) if held else until
    since_s = (now - pace.slowed_at).total_seconds() if pace.slowed_at else SOON_S
    if since_s < SLOWED_ONCE_S:
        return replace(pace, held_until=held)
    factor = DECREASE_AGAIN if since_s < SOON_S else DECREASE
    return replace(
        pace,
        rate_per_s=max(pace.rate_per_s * factor, pace.limit_per_s * LEAST),
        ceiling_per_s=pace.rate_per_s,
        grown_at=now,
        slowed_at=now,
        held_until=held,
    )


def take(paces: list[Pace], *, rank: Rank, wanted: int, now: datetime) -> tuple[list[Pace], list[float]] | Wait:
    """Permits out of all these buckets at once: 1 to `wanted`, as seconds from now at which each may be used.

    The caller has let them grow. A `Wait` where the rank has to leave them to others, or the provider wants none.
    """
    assert wanted > 0
    held = max((pace.held_until for pace in paces if pace.held_until), default=now)
    if held > now:
        return Wait((held - now).total_seconds(), held=True)
    ahead_s = max(_ahead_s(pace, now) for pace in paces)
    late_s = ahead_s - LEAD_S[rank]
    assured = (
        late_s > 0
        and rank >= Rank.REREADS
        and ahead_s <= LEAD_S[Rank.ON_SESSION]
        and all(pace.assured_at <= now for pace in paces)
    )
    if late_s > 0 and not assured:
        return Wait(min(max(late_s, LEAST_WAIT_S), BLOCK_S))
    rate = min(pace.rate_per_s for pace in paces)
    number = min(wanted, max(1, int(rate * (BLOCK_S * ASSURED if assured else BLOCK_S))))
    first_s = min(ahead_s, 0.0) if rank is Rank.ON_SESSION else ahead_s
    offsets = [max(0.0, first_s + place / rate) for place in range(number)]
    return [_taken(pace, number, now, own=assured) for pace in paces], offsets


def _ahead_s(pace: Pace, now: datetime) -> float:
    return max((pace.next_at - now).total_seconds(), -LATE_S)


def _taken(pace: Pace, number: int, now: datetime, *, own: bool) -> Pace:
    took = timedelta(seconds=number / pace.rate_per_s)
    start = max(pace.next_at, now - timedelta(seconds=LATE_S))
    counted = pace.counted + number
    if (now - pace.counted_from).total_seconds() >= 1.0:
        pace = replace(pace, counted_from=now, measured_per_s=_measured(pace, now))
        counted = number
    return replace(
        pace,
        next_at=start + took,
        assured_at=max(pace.assured_at, now) + took / ASSURED if own else pace.assured_at,
        counted=counted,
    )


def _measured(pace: Pace, now: datetime) -> float:
    """Permits a second lately: since the last count if that is a whole second, else in the one before."""
    elapsed_s = (now - pace.counted_from).total_seconds()
    return pace.counted / elapsed_s if elapsed_s >= 1.0 else max(pace.measured_per_s, float(pace.counted))
