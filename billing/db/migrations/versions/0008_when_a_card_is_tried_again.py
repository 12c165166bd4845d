"""The hours of retries, and how often a card may be tried, whatever the invoice."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
ALTER TABLE billing.seller
    ADD COLUMN retry_first_h INTEGER,
    ADD COLUMN retry_end_h INTEGER,
    ADD COLUMN card_limit TEXT DEFAULT 'postpone' NOT NULL,
    ADD CONSTRAINT ck_seller_retry_hours CHECK (
        num_nulls(retry_first_h, retry_end_h) IN (0, 2)
        AND retry_first_h >= 0 AND retry_first_h < retry_end_h AND retry_end_h <= 24),
    ADD CONSTRAINT ck_seller_card_limit_known CHECK (card_limit IN ('postpone', 'final', 'off'))
"""
    )
    op.execute("ALTER TABLE billing.invoice ADD COLUMN card_limit_until TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.payment ADD COLUMN card_fingerprint TEXT")
    op.execute(
        """
UPDATE billing.payment p SET card_fingerprint = m.fingerprint
FROM billing.payment_method m
WHERE m.id = p.payment_method_id AND p.status IN ('declined', 'sent', 'unknown')
"""
    )
    op.execute(
        """
CREATE INDEX ix_payment_card_tries ON billing.payment (provider_account_id, card_fingerprint, first_sent_at)
WHERE card_fingerprint IS NOT NULL AND status IN ('declined', 'sent', 'unknown')
"""
    )
