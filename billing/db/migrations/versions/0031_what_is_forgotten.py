"""What retention looks for, by index: bodies of handled events, closed work items."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index(
        "ix_provider_event_body_to_blank",
        "provider_event (handled_at) WHERE body IS NOT NULL AND status IN ('processed', 'ignored')",
    )
    build_index("ix_work_item_closed_at", "work_item (closed_at) WHERE closed_at IS NOT NULL")
