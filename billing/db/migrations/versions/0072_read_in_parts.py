"""A payout's movements are listed in parts, and where a balance was read to is where that is for good.

What was younger than an hour (PayPal: four) is read again.
"""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_column

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payout", "listed_after TEXT")
    op.execute("UPDATE billing.provider_account SET movements_read_to = movements_read_to - interval '4 hours'")
