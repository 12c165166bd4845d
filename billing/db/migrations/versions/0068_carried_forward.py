"""What is too little to be charged is carried forward to the customer's next invoice of its currency (DECISIONS 24)."""

from __future__ import annotations

from billing.db.migrations.online import add_check, add_column, alone

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "refund_settled", "write_off",
    "write_off_back", "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid",
    "payout_failed", "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout",
    "carried_over", "unapplied_refund", "unapplied_settled", "dispute_rest", "credit_applied", "carried_forward",
)  # fmt: skip
_ACCOUNTS = (
    "receivable", "unbilled_receivable", "deferred_revenue", "revenue", "tax_payable", "provider_clearing",
    "payouts_in_transit", "bank", "provider_fees", "customer_credit", "carried_forward", "unapplied_payments",
    "refunds_in_flight", "disputes", "write_off", "promotional_credit", "external_money", "exchange_differences",
    "rounding",
)  # fmt: skip

_ACTIONS = (
    "refund", "write_off", "credit_note", "credit", "work", "void", "mark_paid", "replace", "pay_out",
    "dispute_write_off", "dispute_credit", "change", "cancel_refund", "refund_kept_apart", "apply_credit",
    "carried_forward_write_off",
)  # fmt: skip


def upgrade() -> None:
    alone("ALTER TABLE billing.credit_balance ALTER COLUMN amount_minor SET DEFAULT 0")
    add_column("credit_balance", "carried_forward_minor BIGINT NOT NULL DEFAULT 0")
    add_check("credit_balance", "ck_credit_balance_carried_forward_not_negative", "carried_forward_minor >= 0")
    add_column("invoice", "brought_forward_minor BIGINT NOT NULL DEFAULT 0")
    add_column("invoice", "amount_carried_forward_minor BIGINT NOT NULL DEFAULT 0")
    add_check(
        "invoice",
        "ck_invoice_amounts_not_negative",
        "total_minor >= 0 AND credit_applied_minor >= 0 AND amount_paid_minor >= 0 "
        "AND amount_refunded_minor >= 0 AND amount_remaining_minor >= 0 "
        "AND amount_credited_minor >= 0 AND amount_returned_minor >= 0 AND brought_forward_minor >= 0 "
        "AND amount_carried_forward_minor >= 0",
    )
    add_check(
        "invoice",
        "ck_invoice_amount_due_adds_up",
        "amount_due_minor = CASE kind WHEN 'invoice' THEN total_minor + brought_forward_minor "
        "- credit_applied_minor ELSE 0 END",
    )
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN {_ENTRY_KINDS}")
    add_check("operator_order", "ck_operator_order_action_known", f"action IN {_ACTIONS}")
    add_check("posting", "ck_posting_account_known", f"account IN {_ACCOUNTS}")
