"""Triggers that keep history as it is: each must stand on its table, switched on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from billing.queries.audit.invariant import Check, Finding, Reading

_STANDING = """
SELECT tgname AS name FROM pg_trigger
WHERE tgrelid = to_regclass('billing.' || CAST(:name AS text)) AND tgenabled IN ('O', 'A') AND NOT tgisinternal
"""


def guarded(wanted: Mapping[str, Sequence[str]]) -> Check:
    """A check that these triggers, by table, exist and fire for everybody."""

    def check(reading: Reading) -> Iterator[Finding]:
        for table, names in wanted.items():
            standing = {row.name for row in reading.read(_STANDING, name=table)}
            for name in names:
                if name not in standing:
                    yield Finding("trigger", name, f"rows of {table} can be changed: its trigger is off or gone")

    return check


def append_only(*tables: str) -> Check:
    """A check that rows of these tables can neither be changed nor deleted."""
    return guarded({table: (f"{table}_append_only",) for table in tables})
