"""Where a balance was read to is where that is for good: what was younger than an hour (PayPal: four) is read again."""

from __future__ import annotations

from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE billing.provider_account SET movements_read_to = movements_read_to - interval '4 hours'")
