"""What a customer owes is found without reading what they have paid."""

from __future__ import annotations

from billing.db.migrations.online import replace_index

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_index("ix_invoice_profile_id", "invoice (profile_id, status)")
