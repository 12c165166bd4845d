"""Breaker: a provider that is away is left alone, then asked once; wall time throughout. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.kernel.errors import Reach

TRIP = 10
"""So many calls in a row that the provider did not answer, of all processes together, open it."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed, open until `open_until`, then half open: one probe at a time."""

    down_streak: int = 0
    opened: int = 0
    """Times in a row that it was opened; the pause doubles with each."""
    open_until: datetime | None = None
    probe_until: datetime | None = None
    """While a probe is under way: when it must have answered, or another may be sent."""

    @property
    def clean(self) -> bool:
        """True where a good answer would change nothing."""
        return self == Breaker()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether calls may go out: freely, as the one probe, or not before `wait_s` seconds."""

    wait_s: float = 0.0
    probe: bool = False


def admission(breaker: Breaker, *, now: datetime) -> Admission:
    """What the breaker says now."""
    if breaker.open_until is None:
        return Admission()
    blocked = max(breaker.open_until, breaker.probe_until or breaker.open_until)
    if blocked > now:
        return Admission(wait_s=(blocked - now).total_seconds())
    return Admission(probe=True)


def put_back(breaker: Breaker, *, seconds: float) -> Breaker:
    """The same under a clock that was put back by so much: what is left of a pause is left of it."""
    back = timedelta(seconds=seconds)
    return replace(
        breaker,
        open_until=breaker.open_until and breaker.open_until - back,
        probe_until=breaker.probe_until and breaker.probe_until - back,
    )


def probing(breaker: Breaker, *, now: datetime, probe_s: float) -> Breaker:
    """The same with a probe on its way, which ends within `probe_s` seconds."""
    return replace(breaker, probe_until=now + timedelta(seconds=probe_s))


def after(breaker: Breaker, reach: Reach, *, probe: bool, now: datetime, first_s: float, most_s: float) -> Breaker:
    """The same after a call. One answer, whatever it said, closes it."""
    if reach is not Reach.AWAY:
        return Breaker()
    streak = breaker.down_streak + 1
    if probe or (breaker.open_until is None and streak >= TRIP):
        pause_s = min(first_s * 2.0 ** min(breaker.opened, 30), most_s)
        return Breaker(streak, breaker.opened + 1, now + timedelta(seconds=pause_s))
    return replace(breaker, down_streak=streak)
