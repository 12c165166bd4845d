"""Provider account: one set of keys at one provider. Its mode and identity are pinned at first start."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from billing.db.base import Base, Identified, Versioned, one_of


class ProviderAccount(Identified, Versioned, Base):
    """(provider, code): `STRIPE_API_KEY` is code `default`. A key of another mode or account is refused at start."""

    __tablename__ = "provider_account"

    provider: Mapped[str]
    code: Mapped[str]
    livemode: Mapped[bool]
    account_ref: Mapped[str]
    movements_read_to: Mapped[datetime | None]
    """Business time up to which the movements of its balance were read for good; null before the first reading."""
    events_read_to: Mapped[datetime | None]
    """Business time up to which its list of events was read; null before the first look."""

    __table_args__ = (UniqueConstraint("provider", "code"), one_of("provider", ("stripe", "paypal")))
