"""Who changes a row may say which version they saw (DECISIONS 37)."""

from __future__ import annotations

from billing.db.base import Versioned
from billing.kernel.errors import Stale


def require_version(row: Versioned, expected: int | None) -> None:
    """Raise `Stale` where the caller saw another version of the locked `row`. None: whatever it is."""
    if expected is not None and row.version != expected:
        raise Stale(f"version {expected} was expected, version {row.version} is there; reload")
