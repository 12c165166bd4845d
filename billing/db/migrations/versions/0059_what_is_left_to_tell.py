"""Which removed methods the provider is still to be told of. Those removed before stay as they are."""

from __future__ import annotations

from billing.db.migrations.online import add_column, build_index

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payment_method", "detach_due_at TIMESTAMP WITH TIME ZONE")
    build_index("ix_payment_method_detach_due_at", "payment_method (detach_due_at) WHERE detach_due_at IS NOT NULL")
