"""A zone as a table says what the zone itself says, of any instant and of any local time."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.kernel.errors import Refused
from billing.kernel.offsets import Offset, offsets

FIRST, LAST = 1990, 2040
# Clocks that change at midnight, by half an hour, for a month of fasting, by a whole day; and that never do.
ZONES = (
    *(
        "UTC",
        "Europe/Berlin",
        "America/Sao_Paulo",
        "America/Havana",
        "Asia/Beirut",
        "Africa/Cairo",
        "Africa/Casablanca",
    ),
    *("Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu", "Antarctica/Troll"),
)
STEPS = [timedelta(seconds=each) for each in (-90_000, -3601, -3600, -1800, -1, 0, 1, 1800, 3600, 7200, 90_000)]


def _days() -> list[datetime]:
    start = datetime(FIRST, 1, 1)
    return [start + timedelta(days=each) for each in range((datetime(LAST + 1, 1, 1) - start).days)]


@pytest.mark.parametrize("zone", ZONES)
def test_every_instant_and_local_time_is_read_as_the_zone_reads_it(zone: str) -> None:
    table, info = offsets(zone, FIRST, LAST), ZoneInfo(zone)

    for at in [*(each.since + step for each in table for step in STEPS), *(day.replace(tzinfo=UTC) for day in _days())]:
        assert _row(table, at).ahead == at.astimezone(info).utcoffset(), at
    for wall in [*(each.wall + step for each in table[1:] for step in STEPS), *_days()]:
        assert wall - _wall_row(table, wall).ahead == wall.replace(tzinfo=info).astimezone(UTC).replace(tzinfo=None)


def _row(table: tuple[Offset, ...], at: datetime) -> Offset:
    return table[max(bisect_right([each.since for each in table], at) - 1, 0)]


def _wall_row(table: tuple[Offset, ...], wall: datetime) -> Offset:
    return table[max(bisect_right([each.wall for each in table], wall) - 1, 0)]


def test_the_ends_of_the_calendar_are_no_fault() -> None:
    assert len(offsets("UTC", 1, 9999)) == 1


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        offsets("Mars/Base", FIRST, LAST)
    assert refused.value.code == "unknown_timezone"
