"""After a failover the provider is asked only once what the lost server's workers were calling has ended."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("database_pin", "timeline TEXT")
    add_column("database_pin", "noticed TEXT")
    add_column("database_pin", "noticed_at TIMESTAMP WITH TIME ZONE")
