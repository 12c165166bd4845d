"""Documents that a corrected one replaces."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATUSES = ("draft", "open", "paid", "void", "uncollectible", "replaced", "expired", "credited", "refunded")
_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "write_off", "write_off_back",
    "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid", "payout_failed",
    "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost",
    "dispute_regained", "dispute_write_off", "credit_payout", "carried_over",
)  # fmt: skip


def upgrade() -> None:
    known = ", ".join(f"'{status}'" for status in _STATUSES)
    op.execute("ALTER TABLE billing.invoice DROP CONSTRAINT ck_invoice_status_known")
    op.execute(f"ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_status_known CHECK (status IN ({known}))")
    kinds = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(f"ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known CHECK (kind IN ({kinds}))")
