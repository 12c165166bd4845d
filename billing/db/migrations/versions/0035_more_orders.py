"""The console orders more: voiding, money that came another way, documents anew, disputes lost, plans changed."""

from __future__ import annotations

from billing.db.migrations.online import add_check

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # More is allowed beside what was, so that no row that stands can break it.
    add_check(
        "operator_order",
        "ck_operator_order_action_known",
        "action IN ('refund', 'write_off', 'credit_note', 'credit', 'work', 'void', 'mark_paid', 'replace', 'pay_out', "
        "'dispute_write_off', 'dispute_credit', 'change', 'cancel_refund')",
    )
