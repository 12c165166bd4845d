"""An attempt says how many charges of its invoice were kept apart before: PayPal takes money for one name once."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payment", "spent_before INTEGER NOT NULL DEFAULT 0")
