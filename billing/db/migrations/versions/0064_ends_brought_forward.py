"""When a line's end was brought forward, and what it was: the books of a day before that knew the former one."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("revenue_schedule", "cuts JSONB DEFAULT '[]' NOT NULL")
