"""Row-level security: whoever has not the tables' owner's rights sees the rows of one seller (DECISIONS 9).

The owner, which workers and operators use, is not concerned. Every table with a seller has a policy; a brake that stops
all sellers is seen by each.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from billing.db.base import SCHEMA, Base

_MINE = "(SELECT NULLIF(current_setting('billing.seller', true), '')::uuid)"
POLICY = "one_seller"


def _condition(table: str) -> str:
    column = "id" if table == "seller" else "seller_id"
    mine = f"{column} = {_MINE}"
    return f"seller_id IS NULL OR {mine}" if table == "brake" else mine


POLICIES = {
    table.name: (
        f"ALTER TABLE {SCHEMA}.{table.name} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY {POLICY} ON {SCHEMA}.{table.name} USING ({_condition(table.name)})",
    )
    for table in Base.metadata.sorted_tables
    if "seller_id" in table.c or table.name == "seller"
}
"""By table: what a migration that adds one says too."""

for _name, _statements in POLICIES.items():
    for _statement in _statements:
        event.listen(
            Base.metadata.tables[f"{SCHEMA}.{_name}"],
            "after_create",
            DDL(_statement),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        )
