"""Profile: the paying customer, for one account of the host application. Its personal part is sealed from day one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Json, SellerOwned, Versioned, one_of, owned


class Profile(SellerOwned, Versioned, Base):
    """Who pays. `anonymous_id` is the only name that a provider ever learns.

    Country, zone and buyer kind stand in the clear because tax and calendars need them; `personal` is the sealed JSON
    of name, e-mail, address and tax id, under the profile's own data key.
    """

    __tablename__ = "profile"

    account_id: Mapped[str]
    anonymous_id: Mapped[UUID]
    country: Mapped[str]
    timezone: Mapped[str]
    buyer_kind: Mapped[str]
    has_tax_id: Mapped[bool]
    """Whether it has what reverse charge needs: a checked number of a member state other than the seller's."""
    tax_id_check: Mapped[Json | None]
    """How the number was checked: when, by what, with which result. The number itself is sealed."""
    tax_id_ask_at: Mapped[datetime | None]
    """Wall time before which the register is not asked about the number; null: at once, or nothing is to be asked."""
    personal: Mapped[bytes]
    email_index: Mapped[bytes | None]
    """A keyed hash of the e-mail address, by which a customer is found; empty: there is none; null: not made yet."""
    hold_id: Mapped[UUID | None]
    """The work item that stops billing and charging of this customer, where there is one."""
    link_epoch: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Links to the customer's page carry it: raising it makes all that were handed out worthless."""

    erased_at: Mapped[datetime | None]
    """Business time at which the person was forgotten: `personal` is empty, and there is no key."""

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        UniqueConstraint("seller_id", "account_id"),
        UniqueConstraint("anonymous_id"),
        Index("ix_profile_email_index", "email_index"),
        Index("ix_profile_unindexed", "id", postgresql_where=text("email_index IS NULL")),
        Index(
            "ix_profile_tax_id_unasked",
            "tax_id_ask_at",
            postgresql_where=text("has_tax_id AND NOT tax_id_check ? 'register'"),
        ),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_shape"),
        CheckConstraint("account_id <> ''", name="account_id_present"),
        CheckConstraint("link_epoch >= 0", name="link_epoch_not_negative"),
        one_of("buyer_kind", ("consumer", "business")),
    )


class ProviderCustomer(SellerOwned, Base):
    """The id under which one provider account knows a profile. Created at the first payment method.

    One that was deleted at the provider stays, for the charges that it had; the profile's next method makes another.
    """

    __tablename__ = "provider_customer"

    profile_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    customer_ref: Mapped[str]
    deleted_at: Mapped[datetime | None]
    """Business time at which its deletion at the provider was learnt."""

    __table_args__ = (
        owned("profile_id", "profile"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        Index(
            "uq_provider_customer_living",
            "profile_id",
            "provider_account_id",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "uq_provider_customer_provider_account_id_customer_ref",
            "provider_account_id",
            "customer_ref",
            unique=True,
        ),
    )
