"""How long the oldest delivery of an endpoint has waited is found without reading all that wait."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_delivery_waiting_since", "delivery (endpoint_id, created_at) WHERE status = 'waiting'")
