"""Money that comes another way after a dispute was lost: what it pays of the debt, and of what was written off."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check, add_column

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "write_off", "write_off_back",
    "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid", "payout_failed",
    "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost", "dispute_regained",
    "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout", "carried_over",
)  # fmt: skip


def upgrade() -> None:
    add_column("dispute", "repaid_minor BIGINT DEFAULT 0 NOT NULL")
    add_column("dispute", "given_up_minor BIGINT DEFAULT 0 NOT NULL")
    add_check("dispute", "ck_dispute_decision_known", "decision IN ('write_off', 'credit_note', 'paid')")
    add_check(
        "dispute",
        "ck_dispute_within_the_loss",
        "repaid_minor >= 0 AND given_up_minor >= 0 AND repaid_minor + given_up_minor <= reopened_minor",
    )
    kinds = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN ({kinds})")
    # Of a loss that was credited, what was not written off is on its note; entries name the charge, and a charge has
    # one dispute that was lost and decided on.
    op.execute(
        """
        UPDATE billing.dispute d SET given_up_minor = least(d.reopened_minor, w.amount)
        FROM (SELECT e.invoice_id, e.charge_ref, sum(p.amount_minor) AS amount
              FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id AND p.account = 'write_off'
              WHERE e.kind = 'dispute_write_off' GROUP BY e.invoice_id, e.charge_ref) w
        WHERE w.invoice_id = d.invoice_id AND w.charge_ref = d.charge_ref
          AND d.decision IS NOT NULL AND d.reopened_minor > 0
        """
    )
