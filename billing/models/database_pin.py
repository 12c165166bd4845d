"""Database pin: which server and database these rows were last known to live in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Born


class DatabasePin(Base, Born):
    """One row. Where the fingerprint differs from the server's own, the rows may be those of an older backup."""

    __tablename__ = "database_pin"

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    fingerprint: Mapped[str]
    """When the server started, and the database's own number there."""
    filenode: Mapped[int | None] = mapped_column(BigInteger)
    """Of this very table: another one once a dump was put back over it, in the same database of the same server."""
    timeline: Mapped[str | None]
    """PostgreSQL's: another one with each promotion, and each recovery to a point in time. None where it tells none."""
    noticed: Mapped[str | None]
    """Another fingerprint that was met, while it is open whether rows were lost."""
    noticed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pinned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"))

    __table_args__ = (CheckConstraint("one = 1", name="only_one"),)
