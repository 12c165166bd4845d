"""An attempt that a restored database had lost, and has back from the provider, is known as one for good."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payment", "revived BOOLEAN NOT NULL DEFAULT false")
