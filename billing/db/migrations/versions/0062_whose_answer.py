"""An answer says under which master key it was kept: one without that key can't tell a repeat from another request."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("api_answer", "master_id TEXT")
