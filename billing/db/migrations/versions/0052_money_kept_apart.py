"""Money that met no debt: its intent is spent, which lets a successor be made."""

from __future__ import annotations

from billing.db.migrations.online import add_check

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_check(
        "payment_intent",
        "ck_payment_intent_status_known",
        "status IN ('open', 'succeeded', 'spent', 'canceled', 'absent')",
    )
