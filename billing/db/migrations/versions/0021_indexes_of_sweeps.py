"""Two sweeps read whole tables: invoices due for a try, and subscriptions whose first payment is overdue."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX billing.ix_invoice_due")
    op.execute(
        "CREATE INDEX ix_invoice_due ON billing.invoice (status, next_attempt_at) "
        "WHERE status IN ('open', 'draft') AND next_attempt_at IS NOT NULL AND hold_id IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_subscription_incomplete ON billing.subscription (expires_at) WHERE status = 'incomplete'"
    )
