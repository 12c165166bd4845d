"""Money kept apart: its intent is spent, which lets a successor be made; what of it has left us; its refunds."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check, add_column, alone, build_index

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_ENTRY_KINDS = (
    "issue", "payment", "unapplied_payment", "credit_grant", "void", "refund_sent", "write_off", "write_off_back",
    "external_payment", "recognition", "provider_fee", "exchange", "payout_sent", "payout_paid", "payout_failed",
    "usage_accrual", "usage_reversal", "dispute_withdrawn", "dispute_reinstated", "dispute_lost", "dispute_regained",
    "dispute_write_off", "dispute_write_off_back", "dispute_repaid", "credit_payout", "carried_over",
    "unapplied_refund", "dispute_rest",
)  # fmt: skip

_LIFT = """
UPDATE billing.invoice i SET hold_id = NULL, version = i.version + 1, updated_at = clock_timestamp()
FROM billing.work_item w
WHERE i.status IN ('open', 'draft') AND i.hold_id = w.id
  AND w.kind = 'payment_unapplied' AND w.closed_at IS NOT NULL
"""
"""Closing the item had not lifted what it held."""

_LOST = """
UPDATE billing.dispute d SET apart_minor = CASE WHEN d.currency = u.currency THEN least(u.amount_minor, d.amount_minor)
                                                ELSE u.amount_minor END,
    version = d.version + 1, updated_at = clock_timestamp()
FROM billing.unapplied_payment u
WHERE u.provider_account_id = d.provider_account_id AND u.charge_ref = d.charge_ref
  AND u.status = 'refunded' AND d.status = 'lost'
"""
"""Only a lost dispute had ended one so far."""
_OFFER = """
UPDATE billing.work_item SET safe_actions = ARRAY['refund', 'park', 'discard'], version = version + 1,
    updated_at = clock_timestamp()
WHERE kind = 'payment_unapplied' AND status IN ('open', 'parked')
"""


def upgrade() -> None:
    add_check(
        "payment_intent",
        "ck_payment_intent_status_known",
        "status IN ('open', 'succeeded', 'spent', 'canceled', 'absent')",
    )
    add_column("unapplied_payment", "gone_minor BIGINT DEFAULT 0 NOT NULL")
    add_check("unapplied_payment", "ck_unapplied_payment_gone_within", "gone_minor BETWEEN 0 AND amount_minor")
    add_column("refund", "unapplied_payment_id UUID")
    # A worker of the release before takes such a refund as any other: it writes the payment's id into the entry alone.
    alone("-- squawk-ignore ban-drop-not-null\nALTER TABLE billing.refund ALTER COLUMN payment_id DROP NOT NULL")
    add_check("refund", "ck_refund_of_one_source", "(payment_id IS NULL) <> (unapplied_payment_id IS NULL)")
    alone(
        "ALTER TABLE billing.refund DROP CONSTRAINT IF EXISTS fk_refund_unapplied_payment_id, "
        "ADD CONSTRAINT fk_refund_unapplied_payment_id FOREIGN KEY (unapplied_payment_id, seller_id) "
        "REFERENCES billing.unapplied_payment (id, seller_id) NOT VALID"
    )
    alone("ALTER TABLE billing.refund VALIDATE CONSTRAINT fk_refund_unapplied_payment_id")
    build_index(
        "ix_refund_unapplied_payment_id", "refund (unapplied_payment_id) WHERE unapplied_payment_id IS NOT NULL"
    )
    add_check(
        "operator_order",
        "ck_operator_order_action_known",
        "action IN ('refund', 'write_off', 'credit_note', 'credit', 'work', 'void', 'mark_paid', 'replace', 'pay_out', "
        "'dispute_write_off', 'dispute_credit', 'change', 'cancel_refund', 'refund_kept_apart')",
    )
    add_column("dispute", "apart_minor BIGINT DEFAULT 0 NOT NULL")
    add_check(
        "dispute",
        "ck_dispute_moved_in_order",
        "withdrawn_minor >= 0 AND reinstated_minor >= 0 AND reopened_minor >= 0 AND apart_minor >= 0",
    )
    kinds = ", ".join(f"'{kind}'" for kind in _ENTRY_KINDS)
    add_check("ledger_entry", "ck_ledger_entry_kind_known", f"kind IN ({kinds})")
    op.execute(_LIFT)
    op.execute(_LOST)
    op.execute("UPDATE billing.unapplied_payment SET gone_minor = amount_minor WHERE status = 'refunded'")
    op.execute(_OFFER)
