"""Credit: what a customer has in store, and small debts carried forward, by currency; a document takes of its own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Minor, SellerOwned, Versioned, currency_shape, owned


class CreditBalance(SellerOwned, Versioned, Base):
    """Equals the customer's part of the account `customer_credit`. Changed only under the profile's lock.

    `carried_forward_minor`, the same of `carried_forward`: too little to be charged, it is due with the next invoice.
    """

    __tablename__ = "credit_balance"

    profile_id: Mapped[UUID]
    currency: Mapped[str]
    amount_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    carried_forward_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))

    __table_args__ = (
        owned("profile_id", "profile"),
        UniqueConstraint("profile_id", "currency"),
        currency_shape(),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("carried_forward_minor >= 0", name="carried_forward_not_negative"),
    )
