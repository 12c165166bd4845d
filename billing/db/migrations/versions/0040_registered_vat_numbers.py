"""A register is asked about customers' VAT numbers: when next, and which nobody was asked about."""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.profile ADD COLUMN tax_id_ask_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "CREATE INDEX ix_profile_tax_id_unasked ON billing.profile (tax_id_ask_at) "
        "WHERE has_tax_id AND NOT tax_id_check ? 'register'"
    )
