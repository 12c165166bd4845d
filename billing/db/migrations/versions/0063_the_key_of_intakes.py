"""The anonymous ids of an intake follow from a key of its own, which a rotation of the master key leaves as it is."""

from __future__ import annotations

from billing.db.migrations.online import add_check

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_check(
        "data_key",
        "ck_data_key_purpose_known",
        "purpose IN ('profile', 'document', 'inbox', 'endpoint', 'operator', 'email_index', 'intake')",
    )
