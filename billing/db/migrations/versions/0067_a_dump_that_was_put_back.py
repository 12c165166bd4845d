"""A dump that was put back over the tables of a database is recognised: they have other files."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("database_pin", "filenode BIGINT")
