"""What stands before the numbers of documents is the seller's to say, also by the year."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("seller", "number_prefix TEXT")
    add_column("seller", "credit_note_prefix TEXT")
    add_column("series", "year INTEGER")
