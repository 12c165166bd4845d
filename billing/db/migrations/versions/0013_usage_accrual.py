"""Usage that a month earned and no invoice has named at its end."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.seller ADD COLUMN usage_accrued_to DATE")
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(
        """
ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known
CHECK (kind IN ('issue', 'payment', 'unapplied_payment', 'credit_grant', 'void', 'refund_sent', 'write_off', 'write_off_back', 'external_payment', 'recognition', 'provider_fee', 'exchange', 'payout_sent', 'payout_paid', 'payout_failed', 'usage_accrual', 'usage_reversal'))
"""
    )
    op.execute("ALTER TABLE billing.posting DROP CONSTRAINT ck_posting_account_known")
    op.execute(
        """
ALTER TABLE billing.posting ADD CONSTRAINT ck_posting_account_known
CHECK (account IN ('receivable', 'unbilled_receivable', 'deferred_revenue', 'revenue', 'tax_payable', 'provider_clearing', 'payouts_in_transit', 'bank', 'provider_fees', 'customer_credit', 'unapplied_payments', 'refunds_in_flight', 'disputes', 'write_off', 'promotional_credit', 'external_money', 'exchange_differences', 'rounding'))
"""
    )

    op.execute(
        """
CREATE TABLE billing.usage_accrual (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    price_id UUID NOT NULL,
    month DATE NOT NULL,
    currency TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    amount_minor BIGINT NOT NULL,
    entry_id UUID,
    reversal_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_usage_accrual PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_usage_accrual_subscription_id FOREIGN KEY(subscription_id, seller_id) REFERENCES billing.subscription (id, seller_id),
    CONSTRAINT fk_usage_accrual_price_id FOREIGN KEY(price_id, seller_id) REFERENCES billing.price (id, seller_id),
    CONSTRAINT fk_usage_accrual_entry_id FOREIGN KEY(entry_id, seller_id) REFERENCES billing.ledger_entry (id, seller_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_usage_accrual_reversal_id FOREIGN KEY(reversal_id, seller_id) REFERENCES billing.ledger_entry (id, seller_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT uq_usage_accrual_subscription_id_price_id_month UNIQUE (subscription_id, price_id, month),
    CONSTRAINT ck_usage_accrual_currency_shape CHECK (currency ~ '^[a-z]{3}$')
)
"""
    )
    op.execute(
        """
CREATE TRIGGER usage_accrual_append_only BEFORE UPDATE OR DELETE ON billing.usage_accrual
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
