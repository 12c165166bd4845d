"""Ledger: double entry, append-only (trigger), each entry balanced per currency (deferred trigger on the entry)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Born, JsonList, Minor, SellerOwned, currency_shape, one_of, owned


class Account(StrEnum):
    """The chart of accounts (DECISIONS 31). A debit is positive, a credit negative."""

    RECEIVABLE = "receivable"
    UNBILLED_RECEIVABLE = "unbilled_receivable"
    DEFERRED_REVENUE = "deferred_revenue"
    REVENUE = "revenue"
    TAX_PAYABLE = "tax_payable"
    PROVIDER_CLEARING = "provider_clearing"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"
    BANK = "bank"
    PROVIDER_FEES = "provider_fees"
    CUSTOMER_CREDIT = "customer_credit"
    CARRIED_FORWARD = "carried_forward"
    UNAPPLIED_PAYMENTS = "unapplied_payments"
    REFUNDS_IN_FLIGHT = "refunds_in_flight"
    DISPUTES = "disputes"
    WRITE_OFF = "write_off"
    PROMOTIONAL_CREDIT = "promotional_credit"
    EXTERNAL_MONEY = "external_money"
    EXCHANGE_DIFFERENCES = "exchange_differences"
    ROUNDING = "rounding"


ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "refund_settled", "write_off",
    "write_off_back", "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid",
    "payout_failed", "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout",
    "carried_over", "unapplied_refund", "unapplied_settled", "dispute_rest", "credit_applied", "carried_forward",
    "line_accrual", "line_reversal",
)  # fmt: skip
"""What an entry records: docs/ledger.md has one row for each."""


class LedgerEntry(SellerOwned, Base):
    """One fact in the books. `effective_at` is business time; `kind` names the command that wrote it.

    `booked_on` is the accounting date: the day of `effective_at` in the seller's zone, or an earlier or later one that
    the command names. A trigger sees to it that it is never in a month that is closed: then it is the first day of the
    open one. (Where a row names no date, the trigger reckons it by the server's own zone files.)
    """

    __tablename__ = "ledger_entry"

    kind: Mapped[str]
    effective_at: Mapped[datetime]
    booked_on: Mapped[date] = mapped_column(server_default=FetchedValue())
    profile_id: Mapped[UUID | None]
    """Null where an entry speaks of many customers, or of none."""
    invoice_id: Mapped[UUID | None]
    payment_id: Mapped[UUID | None]
    charge_ref: Mapped[str | None]

    __table_args__ = (
        owned("profile_id", "profile"),
        owned("invoice_id", "invoice", deferred=True),
        Index("ix_ledger_entry_invoice_id", "invoice_id"),
        Index("ix_ledger_entry_profile_id", "profile_id", postgresql_where=text("profile_id IS NOT NULL")),
        Index("ix_ledger_entry_booked_on", "booked_on", postgresql_using="brin"),
        one_of("kind", ENTRY_KINDS),
    )


class MonthClose(SellerOwned, Base):
    """A month that takes no further postings, and what each account stood at when it was closed.

    `month` is its first day. `balances`: [{"currency", "account", "balance_minor"}], up to the month's last day.
    """

    __tablename__ = "month_close"

    month: Mapped[date]
    closed_at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str]
    balances: Mapped[JsonList]

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        UniqueConstraint("seller_id", "month"),
        CheckConstraint("extract(day FROM month) = 1", name="month_begins"),
    )


class Posting(Base, Born):
    """One side of an entry (held by trigger): debit positive, credit negative, in minor units."""

    __tablename__ = "posting"

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    seller_id: Mapped[UUID]
    account: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[Minor]

    __table_args__ = (
        one_of("account", tuple(Account)),
        currency_shape(),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
    )
