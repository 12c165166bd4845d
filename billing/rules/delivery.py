"""When a delivery is given up, and when an endpoint that takes nothing is switched off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

GIVEN_UP_AFTER = timedelta(days=3)
"""From the first try of a delivery; the last try is made then."""
OFF_AFTER = timedelta(days=3)
"""For so long every round of deliveries to an endpoint has failed, and at least so many in a row:"""
OFF_STREAK = 10


def pause_s(steps: Sequence[float], times: int) -> float:
    """The `times`-th pause (from 1), in seconds; the last step repeats."""
    return steps[min(times, len(steps)) - 1]


def is_spent(*, streak: int, failing_since: datetime, wall: datetime) -> bool:
    """Whether an endpoint is switched off."""
    return streak >= OFF_STREAK and wall - failing_since >= OFF_AFTER
