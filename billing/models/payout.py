"""The provider's balance: its movements, which name fees and exchange, and the payouts that empty it into the bank."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped

from billing.db.base import SCHEMA, Base, Identified, JsonList, Minor, Versioned, currency_shape, one_of
from billing.kernel.status import PayoutStatus


class ProviderMovement(Identified, Versioned, Base):
    """One movement of a provider account's balance, as the provider lists it: gross, signed, with the fee taken of it.

    `booked_at` (business time): its fee and exchange are in the books of `seller_id`; null while what moved is not
    known to us yet. `payout_id`: the payout that took it to the bank.
    """

    __tablename__ = "provider_movement"

    provider_account_id: Mapped[UUID]
    balance_ref: Mapped[str]
    type: Mapped[str]
    source_ref: Mapped[str | None]
    amount_minor: Mapped[Minor]
    fee_minor: Mapped[Minor]
    currency: Mapped[str]
    occurred_at: Mapped[datetime]
    seller_id: Mapped[UUID | None]
    booked_at: Mapped[datetime | None]
    payout_id: Mapped[UUID | None]

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        ForeignKeyConstraint(["payout_id"], [f"{SCHEMA}.payout.id"]),
        UniqueConstraint("provider_account_id", "balance_ref"),
        Index("ix_provider_movement_payout_id", "payout_id", postgresql_where=text("payout_id IS NOT NULL")),
        Index("ix_provider_movement_source", "provider_account_id", "source_ref"),
        Index(
            "ix_provider_movement_unbooked",
            "provider_account_id",
            "id",
            postgresql_where=text("booked_at IS NULL"),
        ),
        currency_shape(),
    )


class Payout(Identified, Versioned, Base):
    """One payout. `shares`: [{"seller_id", "amount_minor"}], whose money it holds; they add up to its amount.

    Empty where it may be several sellers' and is being listed for that: nothing of it is booked yet, or told.

    `listed_at` (business time): the movements that it holds point at it; null while the provider can't list them, or
    they have not all been asked for. `listed_after`: the last one of those that were, as the provider lists them.
    """

    __tablename__ = "payout"

    provider_account_id: Mapped[UUID]
    payout_ref: Mapped[str]
    status: Mapped[str]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    arrives_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    """Business time at which each was learnt; a bank may send back what it took."""
    shares: Mapped[JsonList]
    listed_at: Mapped[datetime | None]
    listed_after: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "payout_ref"),
        one_of("status", tuple(PayoutStatus)),
        currency_shape(),
    )
