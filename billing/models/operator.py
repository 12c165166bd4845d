"""Operators of the console, their sessions, and the tries to come in. All in wall time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Versioned, one_of
from billing.rules.permission import Role


class Operator(Identified, Versioned, Base):
    """A person with an account at the console. Never deleted: the audit trail names them."""

    __tablename__ = "operator"

    name: Mapped[str]
    """What they are called in the audit trail, and what a proxy calls them."""
    role: Mapped[str]
    status: Mapped[str] = mapped_column(default="on")
    password_hash: Mapped[str | None]
    """Argon2id in PHC format. Null: comes in by the proxy only."""
    second_factor: Mapped[bytes | None]
    """The TOTP secret, sealed under the operator's data key."""
    code_step: Mapped[int | None]
    """The last step whose code was taken: a code is good once."""

    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("name ~ '^[a-z0-9][a-z0-9._@+-]{0,99}$'", name="name_shape"),
        CheckConstraint("(password_hash IS NULL) = (second_factor IS NULL)", name="password_with_second_factor"),
        one_of("role", tuple(Role)),
        one_of("status", ("on", "off")),
    )


class OperatorSession(Identified, Base):
    """One browser that is in. Its token is known to the browser alone; here stands the hash of it."""

    __tablename__ = "operator_session"

    operator_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    """SHA-256 of 32 random bytes."""
    seen_at: Mapped[datetime]
    """Rounded to a minute or so: not every page writes."""
    ended_at: Mapped[datetime | None]
    told: Mapped[str | None]
    """What became of the last order, for the next page to say once."""

    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], [f"{SCHEMA}.operator.id"]),
        UniqueConstraint("token_hash"),
        Index("ix_operator_session_operator_id", "operator_id"),
    )


class LoginTry(Identified, Base):
    """One try to come in, counted before the password is looked at. Kept for a day."""

    __tablename__ = "login_try"

    name_index: Mapped[bytes]
    """A keyed hash of the name that was given: people type passwords there. Empty where a limit refused the try."""
    network: Mapped[str]
    succeeded: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        Index("ix_login_try_name_index", "name_index", "created_at"),
        Index("ix_login_try_network", "network", "created_at"),
    )
