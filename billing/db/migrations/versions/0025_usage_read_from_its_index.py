"""Usage is summed from its index alone: the records of one subscription lie apart, each on another page of the table."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX billing.ix_usage_record_counts")
    op.execute(
        "CREATE INDEX ix_usage_record_counts ON billing.usage_record (subscription_id, price_id, counts_at) "
        "INCLUDE (quantity, used_at)"
    )
