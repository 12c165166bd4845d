"""Gaps in deliveries are filled from the provider's list; a customer that was deleted there gets a successor."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.provider_account ADD COLUMN events_read_to TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.provider_event ALTER COLUMN secret_index DROP NOT NULL")
    op.execute("ALTER TABLE billing.provider_customer ADD COLUMN deleted_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "ALTER TABLE billing.provider_customer DROP CONSTRAINT uq_provider_customer_profile_id_provider_account_id"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_provider_customer_living ON billing.provider_customer (profile_id, provider_account_id) "
        "WHERE deleted_at IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_provider_movement_source ON billing.provider_movement (provider_account_id, source_ref)"
    )
