"""Orders of the console that move money, or many things at once: who asked, who approved, what became of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Json, Minor, Versioned, currency_shape, one_of
from billing.kernel.status import OrderStatus

ACTIONS = (
    "refund", "write_off", "credit_note", "credit", "work", "void", "mark_paid", "replace", "pay_out",
    "dispute_write_off", "dispute_credit", "change", "cancel_refund", "refund_kept_apart", "apply_credit",
    "carried_forward_write_off",
)  # fmt: skip
"""What may be ordered."""


class OperatorOrder(Identified, Versioned, Base):
    """One order. Its id is made with the form, so that a form that is sent twice is one order."""

    __tablename__ = "operator_order"

    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    amount_minor: Mapped[Minor | None]
    """Null where many things are concerned: `facts` has their sums."""
    currency: Mapped[str | None]
    facts: Mapped[Json]
    """What the order needs to be carried out; nothing personal."""
    asked_by: Mapped[UUID]
    reason: Mapped[str]
    status: Mapped[str]
    expires_at: Mapped[datetime]
    """Wall time after which nobody can approve it."""
    decided_by: Mapped[UUID | None]
    """The second person; null where none was needed, or none came."""
    decided_reason: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    told: Mapped[str | None] = mapped_column()
    """What became of it."""

    __table_args__ = (
        ForeignKeyConstraint(["asked_by"], [f"{SCHEMA}.operator.id"]),
        ForeignKeyConstraint(["decided_by"], [f"{SCHEMA}.operator.id"]),
        Index("ix_operator_order_open", "expires_at", postgresql_where=text("status IN ('waiting', 'running')")),
        Index("ix_operator_order_asked_by", "asked_by", "created_at"),
        one_of("action", ACTIONS),
        one_of("status", tuple(OrderStatus)),
        CheckConstraint("decided_by <> asked_by", name="second_is_another"),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_has_currency"),
        CheckConstraint("reason <> ''", name="why"),
        currency_shape(),
    )
