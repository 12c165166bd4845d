"""Runs that compare our rows with the provider's, and the differences that they find."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.reconciliation (
    id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    cause TEXT NOT NULL,
    from_at TIMESTAMP WITH TIME ZONE NOT NULL,
    to_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reached_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    charges INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    disputes INTEGER NOT NULL,
    movements INTEGER NOT NULL,
    differences INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_reconciliation PRIMARY KEY (id),
    CONSTRAINT fk_reconciliation_provider_account_id FOREIGN KEY(provider_account_id)
        REFERENCES billing.provider_account (id),
    CONSTRAINT ck_reconciliation_cause_known CHECK (cause IN ('daily', 'ordered', 'restore')),
    CONSTRAINT ck_reconciliation_status_known CHECK (status IN ('running', 'done')),
    CONSTRAINT ck_reconciliation_reached_within CHECK (from_at <= reached_at AND reached_at <= to_at)
)
"""
    )
    op.execute(
        """
CREATE UNIQUE INDEX uq_reconciliation_running ON billing.reconciliation (provider_account_id)
WHERE status = 'running'
"""
    )
    op.execute(
        """
CREATE TABLE billing.difference (
    id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    kind TEXT NOT NULL,
    object_ref TEXT NOT NULL,
    intent_ref TEXT,
    seller_id UUID,
    profile_id UUID,
    invoice_id UUID,
    amount_minor BIGINT,
    currency TEXT,
    detail TEXT NOT NULL,
    work_item_id UUID NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_difference PRIMARY KEY (id),
    CONSTRAINT fk_difference_provider_account_id FOREIGN KEY(provider_account_id)
        REFERENCES billing.provider_account (id),
    CONSTRAINT ck_difference_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL))
)
"""
    )
    op.execute(
        """
CREATE UNIQUE INDEX uq_difference_open ON billing.difference (provider_account_id, kind, object_ref)
WHERE resolved_at IS NULL
"""
    )
    op.execute(
        """
CREATE TABLE billing.database_pin (
    one SMALLINT NOT NULL,
    fingerprint TEXT NOT NULL,
    pinned_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_database_pin PRIMARY KEY (one),
    CONSTRAINT ck_database_pin_only_one CHECK (one = 1)
)
"""
    )
    op.execute("ALTER TABLE billing.series ADD COLUMN closed_at TIMESTAMP WITH TIME ZONE")
    op.execute("CREATE UNIQUE INDEX uq_series_open ON billing.series (seller_id, kind) WHERE closed_at IS NULL")
    op.execute("DROP INDEX billing.uq_series_seller_id_kind")
