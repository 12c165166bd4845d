"""Of an event that tells of a failed charge it is kept which charge that is: whether we know is seen without its body.

Events of before have none, and are answered by reading the object.
"""

from __future__ import annotations

from billing.db.migrations.online import add_column

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("provider_event", "charge_ref TEXT")
