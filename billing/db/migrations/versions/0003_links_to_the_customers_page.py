"""Links to the customer's page, which raising a customer's epoch makes worthless."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default is metadata only: no row is rewritten, and the lock is held for an instant.
    op.execute("ALTER TABLE billing.profile ADD COLUMN link_epoch INTEGER DEFAULT 0 NOT NULL")
    op.execute(
        "ALTER TABLE billing.profile ADD CONSTRAINT ck_profile_link_epoch_not_negative CHECK (link_epoch >= 0) NOT VALID"
    )
    op.execute("ALTER TABLE billing.profile VALIDATE CONSTRAINT ck_profile_link_epoch_not_negative")
