"""What a lost dispute took beyond its debt, where it was booked as lost: a late win takes just that back.

Of losses from before there is none: whatever they took in another currency than the debt's went to exchange.
"""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check, add_column

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("dispute", "beyond_minor BIGINT DEFAULT 0 NOT NULL")
    add_check("dispute", "ck_dispute_beyond_in_order", "beyond_minor >= 0")


def downgrade() -> None:
    op.execute("ALTER TABLE billing.dispute DROP COLUMN beyond_minor")
