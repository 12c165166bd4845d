"""Whether an endpoint's events say where documents are opened. Those that are there go on as they were added."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("endpoint", "document_links BOOLEAN NOT NULL DEFAULT true")
