"""Heartbeat: the last time a beat entry did its work to the end, by name. Read by `billing check` and `status`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Born


class Heartbeat(Base, Born):
    """Written by the tick's own task (wall time), so a worker that lives but consumes nothing shows here."""

    __tablename__ = "heartbeat"

    tick: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str]
    seen_at: Mapped[datetime]
