"""Instants as text: an offset is demanded, a bare date is midnight UTC, and what is written is read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.errors import Refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T09:00:00+01:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31 09:00-05:30", datetime(2026, 1, 31, 14, 30, tzinfo=UTC)),
        ("2026-01-31T09:00:00.250Z", datetime(2026, 1, 31, 9, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_time_with_an_offset_and_a_bare_date_are_read(text: str, expected: datetime) -> None:
    read = parse_instant(text)
    assert read == expected
    assert read.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-01-31T09:00:00", "2026-01-31 09:00", "20260131", "2026-W05-1"])
def test_a_time_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_instant(text, field="at")
    assert caught.value.code == "time_without_offset"
    assert caught.value.faults[0].field == "at"


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_instant(text)
    assert caught.value.code == "not_a_time"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_what_is_written_is_read_back(naive: datetime, minutes: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = format_instant(instant)
    assert text.endswith("Z")
    assert parse_instant(text) == instant


def test_whole_seconds_are_written_without_a_fraction() -> None:
    assert format_instant(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00Z"


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        format_instant(datetime(2026, 1, 31))
