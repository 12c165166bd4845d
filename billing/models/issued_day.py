"""Issued day: what renewals issued on one day, by which the guard of a seller knows what is usual."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Born, Minor


class IssuedDay(Base, Born):
    """Kept only for sellers whose guard of volume is on. The day is that of UTC."""

    __tablename__ = "issued_day"

    seller_id: Mapped[UUID]
    day: Mapped[date]
    currency: Mapped[str]
    documents: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[Minor]

    __table_args__ = (
        PrimaryKeyConstraint("seller_id", "day", "currency"),
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        CheckConstraint("documents > 0", name="documents_positive"),
    )
