"""Keep published rates; claim the next reading of a source."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.registers.rates import Rate

_CLAIM = text(
    """
    INSERT INTO billing.rate_source AS s (source, next_read_at)
    VALUES (:source, clock_timestamp() + make_interval(secs => :lease_s))
    ON CONFLICT (source) DO UPDATE SET next_read_at = excluded.next_read_at
    WHERE s.next_read_at <= clock_timestamp()
    RETURNING s.read_at IS NULL OR s.read_at < clock_timestamp() - interval '3 days' AS long_ago
    """
)
_KEEP = text(
    """
    INSERT INTO billing.exchange_rate (source, currency, day, per_euro)
    SELECT :source, t.currency, t.day, t.per_euro
    FROM unnest(CAST(:currencies AS text[]), CAST(:days AS date[]), CAST(:rates AS numeric[]))
        AS t (currency, day, per_euro)
    ON CONFLICT DO NOTHING
    """
)
_DONE = text(
    """
    UPDATE billing.rate_source
    SET read_at = clock_timestamp(), next_read_at = clock_timestamp() + make_interval(secs => :pause_s)
    WHERE source = :source
    """
)


def claim_reading(session: Session, *, source: str, lease_s: float) -> bool | None:
    """Whether this worker reads the source now: None if not, else whether it wasn't read for long."""
    return session.execute(_CLAIM, {"source": source, "lease_s": lease_s}).scalar_one_or_none()


def keep_rates(session: Session, rates: Sequence[Rate], *, source: str, pause_s: float) -> None:
    """Write what is new, and when to read next. What was published before stays as it is."""
    session.execute(
        _KEEP,
        {
            "source": source,
            "currencies": [rate.currency for rate in rates],
            "days": [rate.day for rate in rates],
            "rates": [rate.per_euro for rate in rates],
        },
    )
    session.execute(_DONE, {"source": source, "pause_s": pause_s})
