"""Disputes and early fraud warnings."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "write_off", "write_off_back",
    "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid", "payout_failed",
    "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off",
)  # fmt: skip


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.dispute (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    dispute_ref TEXT NOT NULL,
    charge_ref TEXT NOT NULL,
    invoice_id UUID NOT NULL,
    payment_id UUID,
    profile_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT,
    status TEXT NOT NULL,
    refundable BOOLEAN NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_by TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    withdrawn_minor BIGINT DEFAULT 0 NOT NULL,
    reinstated_minor BIGINT DEFAULT 0 NOT NULL,
    moved_currency TEXT,
    reopened_minor BIGINT DEFAULT 0 NOT NULL,
    decision TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_dispute PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_dispute_invoice_id FOREIGN KEY(invoice_id, seller_id) REFERENCES billing.invoice (id, seller_id),
    CONSTRAINT fk_dispute_payment_id FOREIGN KEY(payment_id, seller_id) REFERENCES billing.payment (id, seller_id),
    CONSTRAINT fk_dispute_profile_id FOREIGN KEY(profile_id, seller_id) REFERENCES billing.profile (id, seller_id),
    CONSTRAINT fk_dispute_provider_account_id FOREIGN KEY(provider_account_id) REFERENCES billing.provider_account (id),
    CONSTRAINT uq_dispute_provider_account_id_dispute_ref UNIQUE (provider_account_id, dispute_ref),
    CONSTRAINT ck_dispute_status_known CHECK (status IN ('warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'won', 'lost')),
    CONSTRAINT ck_dispute_decision_known CHECK (decision IN ('write_off', 'credit_note')),
    CONSTRAINT ck_dispute_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_dispute_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT ck_dispute_moved_in_order CHECK (withdrawn_minor >= reinstated_minor AND reinstated_minor >= 0 AND reopened_minor >= 0),
    CONSTRAINT ck_dispute_closed_when_ended CHECK ((status IN ('needs_response', 'under_review', 'warning_needs_response', 'warning_under_review')) = (closed_at IS NULL)),
    CONSTRAINT ck_dispute_decided_at_a_time CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CONSTRAINT ck_dispute_moved_in_a_currency CHECK (withdrawn_minor = 0 OR moved_currency IS NOT NULL)
)
"""
    )
    op.execute(
        """
CREATE INDEX ix_dispute_invoice_id ON billing.dispute (invoice_id)
"""
    )
    op.execute(
        """
CREATE INDEX ix_dispute_open ON billing.dispute (profile_id) WHERE status IN ('needs_response', 'under_review', 'warning_needs_response', 'warning_under_review')
"""
    )
    op.execute(
        """
CREATE TABLE billing.fraud_warning (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    warning_ref TEXT NOT NULL,
    charge_ref TEXT NOT NULL,
    invoice_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    fraud_type TEXT,
    actionable BOOLEAN NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_fraud_warning PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_fraud_warning_invoice_id FOREIGN KEY(invoice_id, seller_id) REFERENCES billing.invoice (id, seller_id),
    CONSTRAINT fk_fraud_warning_profile_id FOREIGN KEY(profile_id, seller_id) REFERENCES billing.profile (id, seller_id),
    CONSTRAINT fk_fraud_warning_provider_account_id FOREIGN KEY(provider_account_id) REFERENCES billing.provider_account (id),
    CONSTRAINT uq_fraud_warning_provider_account_id_warning_ref UNIQUE (provider_account_id, warning_ref)
)
"""
    )
    op.execute(
        """
CREATE INDEX ix_fraud_warning_invoice_id ON billing.fraud_warning (invoice_id)
"""
    )
    op.execute("ALTER TABLE billing.seller ADD COLUMN dispute_stops_charging BOOLEAN DEFAULT true NOT NULL")
    known = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(f"ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known CHECK (kind IN ({known}))")
