"""What the HTTP API keeps: keys by their hash, how often each asks, and answers, each for a day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Born, SellerOwned, Versioned


class ApiKey(SellerOwned, Versioned, Base):
    """Lets a program act for one seller. The key itself is told once and kept nowhere. Instants are wall time."""

    __tablename__ = "api_key"

    name: Mapped[str]
    """The host's name for whoever uses it; a rotated key and its successor have the same."""
    prefix: Mapped[str]
    """The part of the key that may be shown."""
    hash: Mapped[bytes]
    """SHA-256 of the whole key: 256 random bits can't be guessed, so nothing slower is needed."""
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    """From then on it is worthless: by rotation, or at once, by revocation. Null: good until then."""

    __table_args__ = (
        UniqueConstraint("prefix"),
        UniqueConstraint("hash"),
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        CheckConstraint("name <> '' AND scopes <> '{}'", name="says_who_may_what"),
    )


class ApiUse(Base, Born):
    """The running minute of a key, and how many requests it made in it: its rate, and when it was last used."""

    __tablename__ = "api_use"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime]
    """Wall time; the last one in which it was used."""
    requests: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(["prefix"], [f"{SCHEMA}.api_key.prefix"]),
        # Written with every request, in place.
        {"postgresql_with": {"fillfactor": "20"}},
    )


class ApiAnswer(SellerOwned, Base):
    """What a request under an idempotency key was answered, written in the transaction of its effect."""

    __tablename__ = "api_answer"

    key: Mapped[str]
    request_hash: Mapped[bytes]
    """Keyed hash of method, path and body: another request under the same key is a fault."""
    master_id: Mapped[str | None]
    """Of which master key the hash and the seal are. Null: written by a release before 0062."""
    status: Mapped[int]
    body: Mapped[bytes]
    """Sealed: a signing secret is told by an answer, once, and once more to whoever repeats the request."""

    __table_args__ = (
        UniqueConstraint("seller_id", "key"),
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
    )
