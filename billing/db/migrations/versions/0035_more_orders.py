"""The console orders more: voiding, money that came another way, documents anew, disputes lost, plans changed."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # More is allowed beside what was, so that no row that stands can break it: it need not be read.
    op.execute("ALTER TABLE billing.operator_order DROP CONSTRAINT ck_operator_order_action_known")
    op.execute(
        "ALTER TABLE billing.operator_order ADD CONSTRAINT ck_operator_order_action_known CHECK (action IN "
        "('refund', 'write_off', 'credit_note', 'credit', 'work', 'void', 'mark_paid', 'replace', 'pay_out', "
        "'dispute_write_off', 'dispute_credit', 'change', 'cancel_refund')) NOT VALID"
    )
    op.execute("ALTER TABLE billing.operator_order VALIDATE CONSTRAINT ck_operator_order_action_known")
