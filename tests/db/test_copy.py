"""Values for COPY: equal ones have one text, whoever wrote an equal one before."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.db.copy import field, instant


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_a_moment_has_one_text_whatever_zone_it_was_first_written_in(zone: str) -> None:
    at = datetime(2031, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    assert [instant(at.astimezone(ZoneInfo(zone))), instant(at)] == ["2031-03-04T05:06:07.000089+00:00"] * 2


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("Ä\u00a0é", "Ä\u00a0é"),
        ("a\tb", "a\\tb"),
        ("a\nb\r", "a\\nb\\r"),
        ("\\N", "\\\\N"),
        (None, "\\N"),
    ],
)
def test_what_would_end_a_field_or_row_is_escaped_and_nothing_else(value: str | None, written: str) -> None:
    assert field(value) == written
