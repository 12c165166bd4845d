"""A refund that failed may be settled by a lost dispute, which took its money: that is no payment by another way."""

from __future__ import annotations

from billing.db.migrations.online import add_check

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_check("refund", "ck_refund_settled_as_known", "settled_as IN ('credit', 'paid', 'dispute')")
