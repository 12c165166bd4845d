"""After a definite decline another valid method of the customer may be tried, where a seller says so. Off until then."""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.seller ADD COLUMN fall_back BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE billing.invoice ADD COLUMN falls_back_to UUID")
