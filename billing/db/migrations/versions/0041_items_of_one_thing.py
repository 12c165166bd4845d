"""Work items of one thing, the closed ones too, are found by index: each page of the console shows them."""

from __future__ import annotations

from billing.db.migrations.online import build_index

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_work_item_subject_id", "work_item (subject_id)")
