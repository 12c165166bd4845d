"""Money kept apart is settled: into the balance, or paid another way. What waits for a person already offers both."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "refund_settled", "write_off",
    "write_off_back", "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid",
    "payout_failed", "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout",
    "carried_over", "unapplied_refund", "unapplied_settled", "dispute_rest",
)  # fmt: skip


def upgrade() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN ({kinds})")
    op.execute(
        """
        UPDATE billing.work_item
        SET safe_actions = ARRAY['refund', 'credit', 'paid', 'park'], version = version + 1,
            updated_at = clock_timestamp()
        WHERE kind = 'payment_unapplied' AND status IN ('open', 'parked')
        """
    )
