"""A movement of the balance names the payout that took it to the bank. Payouts from before are asked about again."""

from __future__ import annotations

from billing.db.migrations.online import add_column, add_foreign_key, build_index

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payout", "listed_at TIMESTAMP WITH TIME ZONE")
    add_column("provider_movement", "payout_id UUID")
    add_foreign_key("provider_movement", "fk_provider_movement_payout_id", "payout_id", "payout (id)")
    build_index("ix_provider_movement_payout_id", "provider_movement (payout_id) WHERE payout_id IS NOT NULL")
