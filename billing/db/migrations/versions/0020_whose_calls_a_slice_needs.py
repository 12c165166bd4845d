"""A slice of charges says whose calls it needs, so that no more is planned than an account can carry."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.slice ADD COLUMN provider_account_id UUID")
