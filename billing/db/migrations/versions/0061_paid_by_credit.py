"""An open invoice may be paid out of the customer's balance: an entry of its own, and an order of the console."""

from __future__ import annotations

from billing.db.migrations.online import add_check

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "refund_settled", "write_off",
    "write_off_back", "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid",
    "payout_failed", "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout",
    "carried_over", "unapplied_refund", "unapplied_settled", "dispute_rest", "credit_applied",
)  # fmt: skip
_ACTIONS = (
    "refund", "write_off", "credit_note", "credit", "work", "void", "mark_paid", "replace", "pay_out",
    "dispute_write_off", "dispute_credit", "change", "cancel_refund", "refund_kept_apart", "apply_credit",
)  # fmt: skip


def upgrade() -> None:
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN {_ENTRY_KINDS}")
    add_check("operator_order", "ck_operator_order_action_known", f"action IN {_ACTIONS}")
