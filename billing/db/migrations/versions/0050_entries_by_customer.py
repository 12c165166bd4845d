"""A customer's entries in the ledger are found by the customer, whether they have an invoice or not."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_ledger_entry_profile_id", "ledger_entry (profile_id) WHERE profile_id IS NOT NULL")
