"""Documents leave by mail where a seller says so. Those that are here go on as they did."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE billing.seller
            ADD COLUMN mail_documents TEXT DEFAULT 'off' NOT NULL,
            ADD CONSTRAINT ck_seller_mail_documents_known CHECK (mail_documents IN ('off', 'documents', 'all'))
        """
    )
    # Widened, so that no row that is there can break it.
    op.execute(
        """
        ALTER TABLE billing.notice
            DROP CONSTRAINT ck_notice_kind_known,
            ADD CONSTRAINT ck_notice_kind_known CHECK (kind IN (
                'renewal_upcoming', 'payment_failed', 'action_needed', 'payment_recovered', 'collection_ended',
                'invoice_issued', 'note_issued', 'receipt')) NOT VALID
        """
    )
    op.execute("ALTER TABLE billing.notice VALIDATE CONSTRAINT ck_notice_kind_known")
