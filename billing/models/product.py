"""Product: what is sold, as the customer reads it on the line of an invoice."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from billing.db.base import SCHEMA, Base, SellerOwned, Versioned


class Product(SellerOwned, Versioned, Base):
    """A thing that has prices."""

    __tablename__ = "product"

    code: Mapped[str]
    name: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        UniqueConstraint("seller_id", "code"),
    )
