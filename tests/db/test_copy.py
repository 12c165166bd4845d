"""Values for COPY: equal ones have one text, whoever wrote an equal one before."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.db.copy import instant


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_a_moment_has_one_text_whatever_zone_it_was_first_written_in(zone: str) -> None:
    at = datetime(2031, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    assert [instant(at.astimezone(ZoneInfo(zone))), instant(at)] == ["2031-03-04T05:06:07.000089+00:00"] * 2
