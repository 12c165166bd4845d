"""Sandbox clock: business time as one committed row. Absent in production, where the database's clock is the time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Born


class SandboxClock(Base, Born):
    """The one row. Only the demo, the player and `billing clock advance` move it, and only when all is quiet."""

    __tablename__ = "sandbox_clock"

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    instant: Mapped[datetime]

    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)
