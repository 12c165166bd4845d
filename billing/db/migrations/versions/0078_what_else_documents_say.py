"""What a seller's documents say besides: how to pay by oneself, and what the law of its country asks for."""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("seller", "payment_instructions TEXT")
    add_column("seller", "document_footer TEXT")
