"""A payment method has a kind, which travels with each attempt; a seller says which kinds its customers may set up.

An attempt from before names none: it was a card's, and a repeat under its key says exactly what was said then.
"""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("payment", "method_kind TEXT")
    add_column("seller", "method_kinds TEXT[] DEFAULT '{card}' NOT NULL")
