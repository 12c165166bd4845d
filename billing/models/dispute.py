"""Dispute: a customer's bank takes a payment back, or asks about it; and the early warning that it may."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Minor, SellerOwned, Versioned, currency_shape, one_of, owned
from billing.kernel.status import OPEN_DISPUTE, DisputeStatus

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_DISPUTE))


class Dispute(SellerOwned, Versioned, Base):
    """As the provider told last. `amount_minor` may be a part of the charge, in a currency that is not the charge's."""

    __tablename__ = "dispute"

    provider_account_id: Mapped[UUID]
    dispute_ref: Mapped[str]
    charge_ref: Mapped[str]
    invoice_id: Mapped[UUID]
    payment_id: Mapped[UUID | None]
    """The attempt that made the charge; null for money that no attempt of ours asked for."""
    profile_id: Mapped[UUID]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    reason: Mapped[str | None]
    status: Mapped[str]
    refundable: Mapped[bool]
    """Whether the provider would still refund the charge: of an inquiry, mostly."""
    opened_at: Mapped[datetime]
    due_by: Mapped[datetime | None]
    """By when evidence must be there; null where none can be given any more."""
    closed_at: Mapped[datetime | None]

    withdrawn_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What the provider has taken from us for it, as booked; 0 for an inquiry. In `moved_currency`."""
    reinstated_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What of that it has given back: more, where the rate of exchange has changed. Nominally, where our balance became
    one in another currency meanwhile: which it was is told by the movement, and booked as exchange.
    """
    moved_currency: Mapped[str | None]
    """The currency of our balance at the provider, where it was taken; null while nothing moved."""
    reopened_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What a loss has put back on the invoice's receivable, in the invoice's currency."""
    apart_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What a loss has taken of money that was kept apart, in the charge's currency."""
    beyond_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What a loss has taken beyond either, booked as lost, in the same currency; 0 where our balance is in that one,
    for then the sums above say it, and where the dispute is in none of the two, for then it is not known. Kept there
    too it would have to follow all that moves those sums: what is taken later, a part that comes back, a rest, a win.
    """
    repaid_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What of that the customer has paid another way since."""
    given_up_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What of that is written off; less again where it is paid after all."""
    decision: Mapped[str | None]
    """What became of a loss: written off, credited to the customer, or paid another way. Null until then."""
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        owned("invoice_id", "invoice"),
        owned("payment_id", "payment"),
        owned("profile_id", "profile"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "dispute_ref"),
        Index("ix_dispute_invoice_id", "invoice_id"),
        Index("ix_dispute_listed", "seller_id", "id"),
        Index("ix_dispute_open", "profile_id", postgresql_where=text(f"status IN ({_OPEN})")),
        one_of("status", tuple(DisputeStatus)),
        one_of("decision", ("write_off", "credit_note", "paid")),
        currency_shape(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(
            "withdrawn_minor >= 0 AND reinstated_minor >= 0 AND reopened_minor >= 0 AND apart_minor >= 0",
            name="moved_in_order",
        ),
        CheckConstraint(
            "repaid_minor >= 0 AND given_up_minor >= 0 AND repaid_minor + given_up_minor <= reopened_minor",
            name="within_the_loss",
        ),
        CheckConstraint("beyond_minor >= 0", name="beyond_in_order"),
        CheckConstraint(f"(status IN ({_OPEN})) = (closed_at IS NULL)", name="closed_when_ended"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided_at_a_time"),
        CheckConstraint("withdrawn_minor = 0 OR moved_currency IS NOT NULL", name="moved_in_a_currency"),
    )

    @property
    def owed_minor(self) -> int:
        """What money that comes for a loss would still pay: its debt, or what was written off of that."""
        if self.decision is not None:
            return self.given_up_minor
        return self.reopened_minor - self.repaid_minor


class FraudWarning(SellerOwned, Versioned, Base):
    """An issuer's early word that a payment may be fraud. A refund now spares the dispute; none is made by itself."""

    __tablename__ = "fraud_warning"

    provider_account_id: Mapped[UUID]
    warning_ref: Mapped[str]
    charge_ref: Mapped[str]
    invoice_id: Mapped[UUID]
    profile_id: Mapped[UUID]
    fraud_type: Mapped[str | None]
    actionable: Mapped[bool]
    """False once the charge was refunded in full or disputed: there is nothing to do any more."""
    opened_at: Mapped[datetime]

    __table_args__ = (
        owned("invoice_id", "invoice"),
        owned("profile_id", "profile"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "warning_ref"),
        Index("ix_fraud_warning_invoice_id", "invoice_id"),
    )
