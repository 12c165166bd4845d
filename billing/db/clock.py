"""The two clocks (DECISIONS 1): business time decides what is due and billed, wall time decides leases and back-off."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.rows import fetch


class Clock(Protocol):
    """Business time, read by a flow at the start of each transaction and passed down as `now`."""

    def now(self, session: Session) -> datetime: ...


class DatabaseClock:
    """Production: the database's own clock."""

    def now(self, session: Session) -> datetime:
        return wall_now(session)


class SandboxTime:
    """The sandbox: one committed row, or the database's clock while there is none."""

    def now(self, session: Session) -> datetime:
        row = session.execute(text("SELECT instant FROM billing.sandbox_clock"))
        return row.scalar_one_or_none() or wall_now(session)


def wall_now(session: Session) -> datetime:
    """Wall time as the database sees it, never the worker's own clock."""
    instant: datetime = fetch(session, "SELECT clock_timestamp() AS at")[0].at
    return instant
