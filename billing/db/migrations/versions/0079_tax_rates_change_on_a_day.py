"""Tax rates change on a day that is known before."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("tax_rate", "changes JSONB NOT NULL DEFAULT '[]'::jsonb")
