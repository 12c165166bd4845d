"""Seller: the legal entity that sells, its tax rates, its policies, and the numbered series of its documents."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Identified, Json, JsonList, SellerOwned, Versioned, currency_shape, one_of
from billing.rules.notice import MailsDocuments


class Seller(Identified, Versioned, Base):
    """Who issues the invoices. `code` is the host's name for it, and prefixes its document numbers."""

    __tablename__ = "seller"

    code: Mapped[str]
    legal_name: Mapped[str]
    country: Mapped[str]
    address: Mapped[Json]
    tax_id: Mapped[str | None]
    payment_instructions: Mapped[str | None]
    """On documents that wait for the customer's own payment: how to pay, such as a bank account. Lines."""
    document_footer: Mapped[str | None]
    number_prefix: Mapped[str | None]
    """Before the numbers of invoices; `{year}` in it stands for the year, and each begins at 1. None: the code's."""
    credit_note_prefix: Mapped[str | None]
    """The same of credit notes."""
    """Below every document: what else the law asks for, such as register, directors, terms of late payment. Lines."""
    currency: Mapped[str]
    timezone: Mapped[str]
    catch_up: Mapped[str] = mapped_column(default="bill_each")
    catch_up_limit: Mapped[int] = mapped_column(default=12)
    """Most periods of one subscription that one slice bills (bill_each); the rest stays due."""
    dunning_retry_s: Mapped[list[int]]
    """Delays in seconds, each counted from the previous scheduled try."""
    dunning_final: Mapped[str] = mapped_column(default="cancel")
    retry_first_h: Mapped[int | None]
    """From this hour of the customer's day up to `retry_end_h` scheduled retries are made; null: at the exact delay."""
    retry_end_h: Mapped[int | None]
    card_limit: Mapped[str] = mapped_column(default="postpone", server_default=text("'postpone'"))
    """What becomes of a retry that a card network's limit forbids."""
    proration: Mapped[str] = mapped_column(default="second")
    oss: Mapped[str] = mapped_column(default="none")
    """How it declares tax on sales to consumers in other member states: by One Stop Shop, or at home."""
    upcoming_days: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """So many days before a renewal the customer is told of it; 0: never."""
    draft_review_h: Mapped[int] = mapped_column(default=0)
    """Hours for which an invoice stays an editable draft before it is issued; 0: issued at once."""
    revenue_recognition: Mapped[str] = mapped_column(default="month", server_default=text("'month'"))
    """How often what is earned is booked: at the end of each day, or of each month and of a line's own time."""
    guard_volume: Mapped[int | None]
    """A day above so many times the same weekday's usual count or amount is held as drafts; null: never."""
    guard_amount: Mapped[int | None]
    """A document above so many times the customer's last is held."""
    guard_catch_up: Mapped[int | None]
    """The documents of a subscription that catches up with more than so many periods are held."""
    account_codes: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """{"receivable": "1400"}: the numbers that its own chart gives to our accounts, for exports."""
    usage_accrued_to: Mapped[date | None]
    """First day of the month before which usage, and lines that wait, are accrued."""
    books_open_from: Mapped[date | None]
    """First day of the month that takes postings; what lies before it is closed. Null: nothing is."""
    complete_documents: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether an invoice that lacks what the law asks for waits as a draft."""
    e_invoices: Mapped[str] = mapped_column(default="off", server_default=text("'off'"))
    """Whether one that the law wants structured waits for a transport, and by the days for sellers of which size."""
    mail_documents: Mapped[str] = mapped_column(default=MailsDocuments.OFF, server_default=text("'off'"))
    """Which documents customers get by mail, where there is a mail server."""
    dispute_stops_charging: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """Whether a customer is charged no more while a dispute of theirs is open."""
    fall_back: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether another valid method of the customer is tried at once after a definite decline of the default."""

    method_kinds: Mapped[list[str]] = mapped_column(default=lambda: ["card"], server_default=text("'{card}'"))
    """Which kinds of methods its customers may set up at a provider that has several."""
    debit_notice_days: Mapped[int] = mapped_column(default=14, server_default=text("14"))
    """So many days before a debit the holder of the account is told, where their mandate says nothing else."""
    creditor_id: Mapped[str | None]
    """By which the holder's bank names who debits: the seller's own identifier, or the provider's."""

    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_shape"),
        CheckConstraint("code ~ '^[A-Z0-9][A-Z0-9-]{0,19}$'", name="code_shape"),
        CheckConstraint("catch_up_limit > 0", name="catch_up_limit_positive"),
        currency_shape(),
        one_of("catch_up", ("bill_each", "merge", "skip")),
        one_of("dunning_final", ("cancel", "unpaid", "keep")),
        one_of("card_limit", ("postpone", "final", "off")),
        CheckConstraint(
            "num_nulls(retry_first_h, retry_end_h) IN (0, 2) "
            "AND retry_first_h >= 0 AND retry_first_h < retry_end_h AND retry_end_h <= 24",
            name="retry_hours",
        ),
        one_of("proration", ("second", "day")),
        one_of("revenue_recognition", ("day", "month")),
        one_of("oss", ("none", "union", "non_union")),
        one_of("e_invoices", ("off", "small", "large")),
        one_of("mail_documents", tuple(MailsDocuments)),
        CheckConstraint("draft_review_h >= 0", name="draft_review_h_not_negative"),
        CheckConstraint("guard_volume > 1 AND guard_amount > 1 AND guard_catch_up > 0", name="guards_are_above"),
        CheckConstraint("debit_notice_days >= 0", name="debit_notice_days_not_negative"),
        CheckConstraint("upcoming_days >= 0", name="upcoming_days_not_negative"),
    )


class TaxRate(SellerOwned, Versioned, Base):
    """A named rate of a seller: its percent at home and, where they differ, in other countries."""

    __tablename__ = "tax_rate"

    name: Mapped[str]
    percent: Mapped[Decimal]
    inclusive: Mapped[bool] = mapped_column(default=False)
    countries: Mapped[Json]
    """{"FR": "20"}: percent by destination, as decimal strings."""
    changes: Mapped[JsonList] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    """[{"starts_on": "2027-01-01", "percent": "20", "countries": {}}]: from a day on; percent may be null."""

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], ["billing.seller.id"]),
        UniqueConstraint("seller_id", "name"),
        CheckConstraint("percent >= 0 AND percent < 100", name="percent_range"),
    )


class Series(SellerOwned, Versioned, Base):
    """One run of document numbers without gaps. The row is locked last in the issuing transaction (DECISIONS 15)."""

    __tablename__ = "series"

    kind: Mapped[str]
    prefix: Mapped[str]
    next_no: Mapped[int] = mapped_column(default=1)
    last_issued_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    """Business time from which a successor gives the numbers: after a restore, those of this one may be taken."""
    year: Mapped[int | None]
    """In the seller's zone, of one whose prefix names it: the first document of a later year begins another."""

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], ["billing.seller.id"]),
        UniqueConstraint("seller_id", "prefix"),
        Index("uq_series_open", "seller_id", "kind", unique=True, postgresql_where=text("closed_at IS NULL")),
        CheckConstraint("next_no > 0", name="next_no_positive"),
        one_of("kind", ("invoice", "credit_note")),
    )


class DataKey(Identified, Base):
    """A wrapped encryption key: a profile's (erasable), a seller's for a year's documents; one an inbox and such."""

    __tablename__ = "data_key"

    purpose: Mapped[str]
    owner_id: Mapped[UUID]
    """The profile, seller, provider account and so on, by purpose. No foreign key: erasure keeps the owner."""
    year: Mapped[int] = mapped_column(default=0)
    """Year of issue for document keys, else 0."""
    master_id: Mapped[str]
    wrapped: Mapped[bytes]

    __table_args__ = (
        UniqueConstraint("purpose", "owner_id", "year"),
        one_of("purpose", ("profile", "document", "inbox", "endpoint", "operator", "email_index", "intake")),
    )
