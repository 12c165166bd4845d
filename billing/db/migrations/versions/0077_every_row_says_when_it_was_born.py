"""Every table has `created_at` (DECISIONS 11). Rows that were there before bear the time of this migration."""

from __future__ import annotations

from billing.db.base import SCHEMA
from billing.db.migrations.online import add_column, alone

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

_WITHOUT = (
    "api_use",
    "database_pin",
    "exchange_rate",
    "heartbeat",
    "issued_day",
    "posting",
    "rate_source",
    "revenue_movement",
    "sandbox_clock",
)


def upgrade() -> None:
    for table in _WITHOUT:
        # One time for all rows that are there, so that none is rewritten.
        add_column(table, "created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()")
        alone(f"ALTER TABLE {SCHEMA}.{table} ALTER COLUMN created_at SET DEFAULT clock_timestamp()")
