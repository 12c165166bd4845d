"""Usage is summed from its index alone: the records of one subscription lie apart, each on another page of the table."""

from __future__ import annotations

from billing.db.migrations.online import replace_index

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_index(
        "ix_usage_record_counts", "usage_record (subscription_id, price_id, counts_at) INCLUDE (quantity, used_at)"
    )
