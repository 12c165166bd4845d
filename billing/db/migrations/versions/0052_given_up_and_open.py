"""Open invoices whose retries have ended are found by an index of their own: the console counts and lists them."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index(
        "ix_invoice_given_up",
        "invoice (id) WHERE status = 'open' AND final_decision IS NOT NULL AND next_attempt_at IS NULL",
    )
