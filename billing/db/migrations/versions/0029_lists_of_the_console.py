"""Lists of the console by state, newest first. What is paid, processed or succeeded is most of a table, and has none."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_invoice_unpaid", "invoice (status, id) WHERE status NOT IN ('paid', 'credited', 'refunded')")
    build_index("ix_payment_failed", "payment (status, id) WHERE status IN ('declined', 'canceled', 'not_sent')")
    build_index("ix_subscription_status", "subscription (status, id)")
    build_index("ix_provider_event_dead", "provider_event (id) WHERE status = 'dead'")
    build_index("ix_audit_trail_actor", "audit_trail (actor, id)")
