"""By which id a method was given, where the provider gives it another: a file is compared by it, a repeat finds it."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payment_method", "given_ref TEXT")
