"""What customers were told long ago is found by when it was told."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_notice_old", "notice (occurred_at) WHERE status <> 'waiting' AND kind <> 'debit_upcoming'")
