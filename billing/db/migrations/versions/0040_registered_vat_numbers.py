"""A register is asked about customers' VAT numbers: when next, and which nobody was asked about."""

from __future__ import annotations

from billing.db.migrations.online import add_column, build_index

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("profile", "tax_id_ask_at TIMESTAMP WITH TIME ZONE")
    build_index(
        "ix_profile_tax_id_unasked",
        "profile (tax_id_ask_at) WHERE has_tax_id AND NOT tax_id_check ? 'register'",
    )
