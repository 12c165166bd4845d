"""What is over of the time of lines that wait at a month's end is revenue of that month."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "refund_settled", "write_off",
    "write_off_back", "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid",
    "payout_failed", "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout",
    "carried_over", "unapplied_refund", "unapplied_settled", "dispute_rest", "credit_applied", "carried_forward",
    "line_accrual", "line_reversal",
)  # fmt: skip


def upgrade() -> None:
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN {_ENTRY_KINDS}")
    op.execute(
        """
CREATE TABLE billing.line_accrual (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    line_id UUID NOT NULL,
    month DATE NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    entry_id UUID,
    reversal_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_line_accrual PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_line_accrual_subscription_id FOREIGN KEY(subscription_id, seller_id) REFERENCES billing.subscription (id, seller_id),
    CONSTRAINT fk_line_accrual_entry_id FOREIGN KEY(entry_id, seller_id) REFERENCES billing.ledger_entry (id, seller_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_line_accrual_reversal_id FOREIGN KEY(reversal_id, seller_id) REFERENCES billing.ledger_entry (id, seller_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT uq_line_accrual_line_id_month UNIQUE (line_id, month),
    CONSTRAINT ck_line_accrual_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_line_accrual_booked_or_nothing CHECK (num_nulls(entry_id, reversal_id) = CASE amount_minor WHEN 0 THEN 2 ELSE 0 END)
)
"""
    )
    op.execute("CREATE INDEX ix_line_accrual_subscription_id ON billing.line_accrual (subscription_id, month)")
    op.execute(
        """
CREATE TRIGGER line_accrual_append_only BEFORE UPDATE OR DELETE ON billing.line_accrual
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
    op.execute("ALTER TABLE billing.line_accrual ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_seller ON billing.line_accrual "
        "USING (seller_id = (SELECT NULLIF(current_setting('billing.seller', true), '')::uuid))"
    )
