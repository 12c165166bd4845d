"""What customers are told, each once, and by mail where mail is set up."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
ALTER TABLE billing.seller
    ADD COLUMN upcoming_days INTEGER DEFAULT 0 NOT NULL,
    ADD CONSTRAINT ck_seller_upcoming_days_not_negative CHECK (upcoming_days >= 0)
"""
    )
    op.execute(
        """
CREATE TABLE billing.notice (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    kind TEXT NOT NULL,
    occasion TEXT NOT NULL,
    invoice_id UUID,
    subscription_id UUID,
    facts JSONB NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    tries INTEGER NOT NULL,
    token INTEGER NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_notice PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_notice_profile_id FOREIGN KEY (profile_id, seller_id) REFERENCES billing.profile (id, seller_id),
    CONSTRAINT fk_notice_invoice_id FOREIGN KEY (invoice_id, seller_id) REFERENCES billing.invoice (id, seller_id),
    CONSTRAINT fk_notice_subscription_id FOREIGN KEY (subscription_id, seller_id)
        REFERENCES billing.subscription (id, seller_id),
    CONSTRAINT uq_notice_kind_occasion UNIQUE (kind, occasion),
    CONSTRAINT ck_notice_kind_known CHECK (kind IN (
        'renewal_upcoming', 'payment_failed', 'action_needed', 'payment_recovered', 'collection_ended')),
    CONSTRAINT ck_notice_status_known CHECK (status IN ('waiting', 'sent', 'dropped', 'failed')),
    CONSTRAINT ck_notice_waits_or_closed CHECK (
        (status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL))
)
"""
    )
    op.execute("CREATE INDEX ix_notice_waiting ON billing.notice (next_try_at) WHERE status = 'waiting'")
    op.execute("CREATE INDEX ix_notice_invoice_id ON billing.notice (invoice_id) WHERE invoice_id IS NOT NULL")
