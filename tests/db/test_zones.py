"""Dates and midnights in SQL are those of our own zones, whatever the server's files say of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from billing.db.session import connect
from billing.db.zones import ZONES, local_date, midnight, tables
from billing.kernel import period
from tests.zone_files import MOVED, NEW, other_zones

NAMES = [MOVED, NEW, "UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "America/Havana"]
HOURS = [datetime(2011, 1, 1, tzinfo=UTC) + timedelta(hours=each) for each in range(24 * 366)]
DAYS = [date(2011, 1, 1) + timedelta(days=each) for each in range(366)]


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    made = connect(database_url)
    with other_zones(tmp_path):
        yield made
    made.dispose()


@pytest.mark.parametrize("name", NAMES)
def test_a_date_and_a_midnight_are_ours(engine: Engine, name: str) -> None:
    dates = f"WITH {ZONES} SELECT {local_date('at', 'z')} FROM unnest(:of) WITH ORDINALITY AS u(at, n)"
    nights = f"WITH {ZONES} SELECT {midnight('day', 'z')} FROM unnest(:of) WITH ORDINALITY AS u(day, n)"
    asked = " LEFT JOIN zones z ON z.name = :name ORDER BY n"
    known = {"zones": tables(NAMES, first=2011, last=2011), "name": name}
    with engine.begin() as connection:
        found = connection.execute(text(dates + asked), known | {"of": HOURS}).scalars().all()
        begun = connection.execute(text(nights + asked), known | {"of": DAYS}).scalars().all()

    assert found == [at.astimezone(period.zone_info(name)).date() for at in HOURS]
    assert begun == [period.midnight(day, name) for day in DAYS]


def test_of_nothing_and_in_a_zone_that_is_not_in_the_table_there_is_no_date(engine: Engine) -> None:
    with engine.begin() as connection:
        found = connection.execute(
            text(
                f"WITH {ZONES} SELECT {local_date('CAST(NULL AS timestamptz)', 'z')}, {local_date('now()', 'o')} "
                "FROM zones z LEFT JOIN zones o ON o.name = 'Mars/Base'"
            ),
            {"zones": tables(["UTC"], first=2026, last=2026)},
        ).one()
    assert tuple(found) == (None, None)
