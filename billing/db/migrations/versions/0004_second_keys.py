"""A second key, where the failure that the provider keeps under the first one did nothing."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.provider_write DROP CONSTRAINT ck_provider_write_step_known")
    op.execute(
        """
ALTER TABLE billing.provider_write ADD CONSTRAINT ck_provider_write_step_known
    CHECK (step IN ('charge', 'update', 'cancel') OR step ~ '^cancel_[2-9]$')
"""
    )
    op.execute(
        """
ALTER TABLE billing.refund
    ADD COLUMN key_no INTEGER DEFAULT 1 NOT NULL,
    ADD COLUMN absent_lists INTEGER DEFAULT 0 NOT NULL,
    ADD CONSTRAINT ck_refund_keys_counted CHECK (key_no > 0 AND absent_lists >= 0)
"""
    )
