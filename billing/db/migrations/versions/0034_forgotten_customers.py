"""A customer can be forgotten: the row stays for its documents, and says when."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.profile ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE")
