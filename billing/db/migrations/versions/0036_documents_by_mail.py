"""Documents leave by mail where a seller says so. Those that are here go on as they did."""

from __future__ import annotations

from billing.db.migrations.online import add_check, add_column

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("seller", "mail_documents TEXT DEFAULT 'off' NOT NULL")
    add_check("seller", "ck_seller_mail_documents_known", "mail_documents IN ('off', 'documents', 'all')")
    # Widened, so that no row that is there can break it.
    add_check(
        "notice",
        "ck_notice_kind_known",
        "kind IN ('renewal_upcoming', 'payment_failed', 'action_needed', 'payment_recovered', 'collection_ended', "
        "'invoice_issued', 'note_issued', 'receipt')",
    )
