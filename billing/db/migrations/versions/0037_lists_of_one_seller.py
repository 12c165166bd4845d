"""Lists of the API that would walk over other sellers' rows: events, work items, disputes, usage that came late."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_outbox_listed", "outbox (seller_id, id)")
    build_index("ix_work_item_listed", "work_item (seller_id, status, id)")
    build_index("ix_dispute_listed", "dispute (seller_id, id)")
    build_index("ix_usage_record_late", "usage_record (seller_id, id) WHERE late")
