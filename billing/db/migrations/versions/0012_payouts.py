"""Movements of the provider's balance, and payouts."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.provider_account ADD COLUMN movements_read_to TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(
        """
ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known
CHECK (kind IN ('issue', 'payment', 'unapplied_payment', 'credit_grant', 'void', 'refund_sent', 'write_off', 'write_off_back', 'external_payment', 'recognition', 'provider_fee', 'exchange', 'payout_sent', 'payout_paid', 'payout_failed'))
"""
    )

    op.execute(
        """
CREATE TABLE billing.provider_movement (
    id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    balance_ref TEXT NOT NULL,
    type TEXT NOT NULL,
    source_ref TEXT,
    amount_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seller_id UUID,
    booked_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_provider_movement PRIMARY KEY (id),
    CONSTRAINT fk_provider_movement_provider_account_id FOREIGN KEY(provider_account_id) REFERENCES billing.provider_account (id),
    CONSTRAINT uq_provider_movement_provider_account_id_balance_ref UNIQUE (provider_account_id, balance_ref),
    CONSTRAINT ck_provider_movement_currency_shape CHECK (currency ~ '^[a-z]{3}$')
)
"""
    )
    op.execute(
        """
CREATE INDEX ix_provider_movement_unbooked ON billing.provider_movement (provider_account_id, id) WHERE booked_at IS NULL
"""
    )

    op.execute(
        """
CREATE TABLE billing.payout (
    id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    payout_ref TEXT NOT NULL,
    status TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    arrives_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    paid_at TIMESTAMP WITH TIME ZONE,
    failed_at TIMESTAMP WITH TIME ZONE,
    shares JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_payout PRIMARY KEY (id),
    CONSTRAINT fk_payout_provider_account_id FOREIGN KEY(provider_account_id) REFERENCES billing.provider_account (id),
    CONSTRAINT uq_payout_provider_account_id_payout_ref UNIQUE (provider_account_id, payout_ref),
    CONSTRAINT ck_payout_status_known CHECK (status IN ('pending', 'in_transit', 'paid', 'failed', 'canceled')),
    CONSTRAINT ck_payout_currency_shape CHECK (currency ~ '^[a-z]{3}$')
)
"""
    )
