"""Local dates and midnights in SQL, by our own data of the zones and not by the server's files.

A statement begins with `WITH {ZONES}` and binds `:zones` to `tables(...)`; it joins `zones` by the zone's name, and
asks `local_date` or `midnight` of that row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from billing.kernel.offsets import Offset, offsets

ZONES = (
    "zones AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(CAST(:zones AS jsonb)) "
    "AS zone(name text, since timestamptz[], walls timestamp[], ahead interval[]))"
)


def tables(names: Iterable[str], *, first: int, last: int) -> str:
    """What holds in these zones from one year to another, each as its arrays; what held or holds at the ends goes on.

    Raises `Refused` (`unknown_timezone`).
    """
    return json.dumps([_table(name, offsets(name, first, last)) for name in sorted(set(names))], separators=(",", ":"))


def _table(name: str, rows: Sequence[Offset]) -> dict[str, object]:
    return {
        "name": name,
        "since": ["-infinity", *(row.since.isoformat() for row in rows[1:])],
        "walls": ["-infinity", *(row.wall.isoformat() for row in rows[1:])],
        "ahead": [f"{row.ahead.total_seconds():.0f} s" for row in rows],
    }


def local_date(instant: str, zone: str) -> str:
    """The date that a `timestamptz` bears in a zone, a row of `zones`; null of null, or where there is no such row."""
    return f"(({instant}) AT TIME ZONE 'UTC' + {zone}.ahead[width_bucket({instant}, {zone}.since)])::date"


def midnight(day: str, zone: str) -> str:
    """The instant at which a date begins in a zone, a row of `zones`."""
    wall = f"({day})::timestamp"
    return f"(({wall} - {zone}.ahead[width_bucket({wall}, {zone}.walls)]) AT TIME ZONE 'UTC')"
