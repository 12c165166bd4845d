"""Attempts that a restored database had lost are known as such for good; what a provider held for long has an index."""

from __future__ import annotations

from billing.db.migrations.online import add_column, build_index

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

_HELD = "(provider_account_id, closed_at) WHERE status = 'succeeded' AND closed_at - first_sent_at >= interval '1 hour'"


def upgrade() -> None:
    add_column("payment", "revived BOOLEAN NOT NULL DEFAULT false")
    build_index("ix_payment_held", f"payment {_HELD}")
    build_index("ix_refund_held", f"refund {_HELD}")
