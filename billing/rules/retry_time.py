"""The hour of a retry: within the seller's hours by the customer's clock, and spread: not all fall on one instant.

Only scheduled retries are moved, and only forward: a first try, and one that a person or a new method asked for, are
made at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from billing.kernel.period import zone_info

SPREAD = timedelta(hours=1)
"""Retries that would share an instant are spread over this, as far as the hours allow."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Local hours of a day, half-open: from `first` up to `end`, 0 <= first < end <= 24."""

    first: int
    end: int


def within_hours(at: datetime, *, hours: Hours | None, zone: str, seed: int) -> datetime:
    """The moment for what is due at `at`: never earlier, in `hours` of the IANA `zone`, spread by `seed`.

    The same seed gives the same moment. `at` is aware, the answer is UTC. `hours` None: `at` itself. Raises `Refused`
    (`unknown_timezone`).
    """
    if hours is None:
        return at
    info = zone_info(zone)
    wall = at.astimezone(info).replace(tzinfo=None)
    midnight = datetime.combine(wall.date(), time())
    opens, closes = midnight + timedelta(hours=hours.first), midnight + timedelta(hours=hours.end)
    if wall >= closes:
        opens, closes = opens + timedelta(days=1), closes + timedelta(days=1)
    start = max(wall, opens)
    room = min(SPREAD, closes - start)
    # With fold 0 a skipped wall time moves forward by the gap, a doubled one is the first; never before `at`.
    spread = start + timedelta(seconds=seed % max(1, int(room.total_seconds())))
    return max(at, spread.replace(tzinfo=info).astimezone(UTC))
