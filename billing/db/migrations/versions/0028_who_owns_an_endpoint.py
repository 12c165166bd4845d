"""Whom to tell when an endpoint is switched off."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE billing.endpoint ADD COLUMN contact BYTEA, ADD COLUMN tell_owner_at TIMESTAMP WITH TIME ZONE"
    )
    op.execute(
        "CREATE INDEX ix_endpoint_owner_to_tell ON billing.endpoint (tell_owner_at) WHERE tell_owner_at IS NOT NULL"
    )
