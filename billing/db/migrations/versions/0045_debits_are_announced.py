"""Debits of bank accounts are announced: how many days before, by which mandate, and to whose account.

What was agreed stands with each method; a seller's own number of days counts where a method says nothing.
"""

from __future__ import annotations

from billing.db.migrations.online import add_check, add_column

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("seller", "debit_notice_days INTEGER DEFAULT 14 NOT NULL")
    add_column("seller", "creditor_id TEXT")
    add_column("payment_method", "notice_days INTEGER")
    add_column("payment_method", "mandate_reference TEXT")
    add_check("seller", "ck_seller_debit_notice_days_not_negative", "debit_notice_days >= 0")
    # Widened, so that no row that is there can break it.
    add_check(
        "notice",
        "ck_notice_kind_known",
        "kind IN ('renewal_upcoming', 'payment_failed', 'action_needed', 'payment_recovered', 'collection_ended', "
        "'debit_upcoming', 'invoice_issued', 'note_issued', 'receipt')",
    )
