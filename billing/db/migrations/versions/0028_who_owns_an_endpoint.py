"""Whom to tell when an endpoint is switched off."""

from __future__ import annotations

from billing.db.migrations.online import add_column, build_index

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("endpoint", "contact BYTEA")
    add_column("endpoint", "tell_owner_at TIMESTAMP WITH TIME ZONE")
    build_index("ix_endpoint_owner_to_tell", "endpoint (tell_owner_at) WHERE tell_owner_at IS NOT NULL")
