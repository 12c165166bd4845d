"""Lists of the console by state, newest first. What is paid, processed or succeeded is most of a table, and has none."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_invoice_unpaid ON billing.invoice (status, id) "
        "WHERE status NOT IN ('paid', 'credited', 'refunded')"
    )
    op.execute(
        "CREATE INDEX ix_payment_failed ON billing.payment (status, id) "
        "WHERE status IN ('declined', 'canceled', 'not_sent')"
    )
    op.execute("CREATE INDEX ix_subscription_status ON billing.subscription (status, id)")
    op.execute("CREATE INDEX ix_provider_event_dead ON billing.provider_event (id) WHERE status = 'dead'")
    op.execute("CREATE INDEX ix_audit_trail_actor ON billing.audit_trail (actor, id)")
