"""Endpoints of the host application, deliveries of domain events to them, and every try of one."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.endpoint (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    code TEXT NOT NULL,
    target TEXT NOT NULL,
    topics TEXT[] NOT NULL,
    status TEXT NOT NULL,
    off_at TIMESTAMP WITH TIME ZONE,
    off_reason TEXT,
    secret BYTEA NOT NULL,
    former_secret BYTEA,
    former_until TIMESTAMP WITH TIME ZONE,
    streak INTEGER NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    paused_until TIMESTAMP WITH TIME ZONE,
    delivered_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_endpoint PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_endpoint_seller_id_code UNIQUE (seller_id, code),
    CONSTRAINT fk_endpoint_seller_id FOREIGN KEY (seller_id) REFERENCES billing.seller (id),
    CONSTRAINT ck_endpoint_status_known CHECK (status IN ('on', 'off')),
    CONSTRAINT ck_endpoint_off_since CHECK ((status = 'off') = (off_at IS NOT NULL)),
    CONSTRAINT ck_endpoint_former_secret_ends CHECK ((former_secret IS NULL) = (former_until IS NULL)),
    CONSTRAINT ck_endpoint_streak_has_a_beginning CHECK ((streak = 0) = (failing_since IS NULL))
)
"""
    )
    op.execute(
        """
CREATE TABLE billing.delivery (
    endpoint_id UUID NOT NULL,
    outbox_id UUID NOT NULL,
    seller_id UUID NOT NULL,
    object_id UUID NOT NULL,
    status TEXT DEFAULT 'waiting' NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    token INTEGER DEFAULT 0 NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp(),
    first_try_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_delivery PRIMARY KEY (endpoint_id, outbox_id),
    CONSTRAINT fk_delivery_endpoint_id FOREIGN KEY (endpoint_id, seller_id)
        REFERENCES billing.endpoint (id, seller_id),
    CONSTRAINT ck_delivery_status_known CHECK (status IN ('waiting', 'delivered', 'dead')),
    CONSTRAINT ck_delivery_waits_or_closed CHECK (
        (status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL))
)
"""
    )
    op.execute("CREATE INDEX ix_delivery_due ON billing.delivery (endpoint_id, next_try_at) WHERE status = 'waiting'")
    op.execute(
        "CREATE INDEX ix_delivery_order ON billing.delivery (endpoint_id, object_id, outbox_id) WHERE status = 'waiting'"
    )
    op.execute("CREATE INDEX ix_delivery_dead ON billing.delivery (endpoint_id, outbox_id) WHERE status = 'dead'")
    op.execute(
        """
CREATE TABLE billing.delivery_attempt (
    endpoint_id UUID NOT NULL,
    outbox_id UUID NOT NULL,
    token INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_delivery_attempt PRIMARY KEY (endpoint_id, outbox_id, token),
    CONSTRAINT fk_delivery_attempt_endpoint_id FOREIGN KEY (endpoint_id, outbox_id)
        REFERENCES billing.delivery (endpoint_id, outbox_id) ON DELETE CASCADE
)
"""
    )
    op.execute("CREATE INDEX ix_outbox_occurred_at ON billing.outbox USING brin (occurred_at)")
    # A new purpose is allowed beside the old ones, so that no row that stands can break it.
    op.execute("ALTER TABLE billing.data_key DROP CONSTRAINT ck_data_key_purpose_known")
    op.execute(
        "ALTER TABLE billing.data_key ADD CONSTRAINT ck_data_key_purpose_known "
        "CHECK (purpose IN ('profile', 'document', 'inbox', 'endpoint'))"
    )
