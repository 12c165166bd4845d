"""Lists of the API that would walk over other sellers' rows: events, work items, disputes, usage that came late."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_outbox_listed ON billing.outbox (seller_id, id)")
    op.execute("CREATE INDEX ix_work_item_listed ON billing.work_item (seller_id, status, id)")
    op.execute("CREATE INDEX ix_dispute_listed ON billing.dispute (seller_id, id)")
    op.execute("CREATE INDEX ix_usage_record_late ON billing.usage_record (seller_id, id) WHERE late")
