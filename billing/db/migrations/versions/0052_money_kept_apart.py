"""Money that met no debt: its intent is spent, which lets a successor be made."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_LIFT = """
UPDATE billing.invoice i SET hold_id = NULL, version = i.version + 1, updated_at = clock_timestamp()
FROM billing.work_item w
WHERE i.status IN ('open', 'draft') AND i.hold_id = w.id
  AND w.kind = 'payment_unapplied' AND w.closed_at IS NOT NULL
"""
"""Closing the item had not lifted what it held."""


def upgrade() -> None:
    add_check(
        "payment_intent",
        "ck_payment_intent_status_known",
        "status IN ('open', 'succeeded', 'spent', 'canceled', 'absent')",
    )
    op.execute(_LIFT)
