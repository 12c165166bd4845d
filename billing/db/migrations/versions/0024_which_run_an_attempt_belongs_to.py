"""An attempt keeps the correlation id of the run that opened it: what the provider tells later is logged under it."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.payment ADD COLUMN correlation_id UUID")
