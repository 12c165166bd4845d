"""Credit notes beside refunds, and balances that are paid out."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "write_off", "write_off_back",
    "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid", "payout_failed",
    "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "credit_payout",
)  # fmt: skip


def upgrade() -> None:
    op.execute(
        """
ALTER TABLE billing.invoice
    ADD COLUMN amount_credited_minor BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN amount_returned_minor BIGINT DEFAULT 0 NOT NULL,
    DROP CONSTRAINT ck_invoice_amounts_not_negative,
    ADD CONSTRAINT ck_invoice_amounts_not_negative CHECK (
        total_minor >= 0 AND credit_applied_minor >= 0 AND amount_paid_minor >= 0 AND amount_refunded_minor >= 0
        AND amount_remaining_minor >= 0 AND amount_credited_minor >= 0 AND amount_returned_minor >= 0)
"""
    )
    op.execute("ALTER TABLE billing.refund ALTER COLUMN credit_note_id DROP NOT NULL")
    known = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(f"ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known CHECK (kind IN ({known}))")
