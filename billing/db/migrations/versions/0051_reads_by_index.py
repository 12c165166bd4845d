"""What had to be looked for among all rows has an index: credits that wait, what went back of a charge, attempts.

And of customers who were forgotten, attempts forget which card it was.
"""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import build_index

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_waiting_line_credits", "waiting_line (credits_line_id) WHERE credits_line_id IS NOT NULL")
    build_index("ix_unapplied_payment_invoice_id", "unapplied_payment (invoice_id) WHERE invoice_id IS NOT NULL")
    build_index("ix_refund_payment_id", "refund (payment_id)")
    build_index("ix_work_item_profile_id", "work_item (profile_id) WHERE profile_id IS NOT NULL")
    build_index("ix_payment_listed", "payment (seller_id, id)")
    build_index("ix_payment_unsettled", "payment (seller_id, status, id) WHERE status <> 'succeeded'")
    build_index("ix_difference_object_ref", "difference (provider_account_id, object_ref)")
    op.execute(
        """
        UPDATE billing.payment a SET card_fingerprint = NULL, version = a.version + 1, updated_at = clock_timestamp()
        FROM billing.profile p
        WHERE p.id = a.profile_id AND p.erased_at IS NOT NULL AND a.card_fingerprint IS NOT NULL
        """
    )
