"""What the database tells about the processes around it: its own version, when each tick last ran, which accounts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.queries.operations.paging import Facts, read_all

_BEATS = """
SELECT t.name AS tick, h.worker, h.seen_at, extract(epoch FROM clock_timestamp() - h.seen_at)::float8 AS age_s
FROM unnest(CAST(:ticks AS text[])) WITH ORDINALITY AS t(name, place)
LEFT JOIN billing.heartbeat h ON h.tick = t.name ORDER BY t.place
"""

_MASTERS = """
(SELECT master_id FROM billing.data_key ORDER BY id LIMIT 1000)
UNION (SELECT master_id FROM billing.data_key ORDER BY id DESC LIMIT 1000)
"""

_STRANDED = """
SELECT country, count(*) AS documents FROM billing.e_invoice
WHERE status = 'waiting' AND NOT country = ANY(CAST(:countries AS text[])) GROUP BY country ORDER BY country
"""


def server_version(session: Session) -> str:
    """PostgreSQL's own version, such as `18.6`."""
    return str(session.execute(text("SHOW server_version")).scalar_one()).split()[0]


def kinds_offered(session: Session) -> set[str]:
    """Kinds of methods that some seller lets its customers set up."""
    return set(session.scalars(text("SELECT DISTINCT unnest(method_kinds) FROM billing.seller")))


def master_ids(session: Session) -> set[str]:
    """Which master keys wrap the oldest and the newest data keys, a thousand of each."""
    return set(session.scalars(text(_MASTERS)))


def beats(session: Session, ticks: Sequence[str]) -> list[Facts]:
    """Each tick with the last time that its work was done to the end, and its age in wall seconds; null: never."""
    return read_all(session, _BEATS, {"ticks": list(ticks)})


def heartbeats(session: Session, ticks: Sequence[str]) -> dict[str, float]:
    """Unix time at which each tick last did its work to the end, by name; 0 where it never did."""
    now = wall_now(session).timestamp()
    return {row["tick"]: 0.0 if row["age_s"] is None else now - row["age_s"] for row in beats(session, ticks)}


def stranded_e_invoices(session: Session, countries: Sequence[str]) -> list[Facts]:
    """Structured invoices that wait for a transport of a country beside these: `country`, `documents`."""
    return read_all(session, _STRANDED, {"countries": list(countries)})
