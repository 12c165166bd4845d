"""Multiplying: billed and paid invoices, with all that belongs to them, copied set-wise into many times as many.

For benches of what must not depend on how much there is. A copy has new ids of the same moment and a number of its own;
its parties and data keys are sealed for the original, so only an audit of what is recent may follow, and no process
starts on it.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

_BILLED = "EXISTS (SELECT FROM billing.invoice b WHERE b.profile_id = {owner})"
_WHERE = {
    "profile": _BILLED.format(owner="t.id"),
    "data_key": "t.purpose = 'profile' AND " + _BILLED.format(owner="t.owner_id"),
    "subscription": _BILLED.format(owner="t.profile_id"),
    "subscription_item": "EXISTS (SELECT FROM billing.invoice b WHERE b.subscription_id = t.subscription_id)",
}
TABLES = (
    "data_key", "profile", "subscription", "subscription_item", "payment_method", "provider_customer",
    "billing_period", "invoice", "invoice_line", "revenue_schedule", "ledger_entry", "posting", "payment_intent",
    "payment", "provider_write", "outbox",
)  # fmt: skip
_COPIED_IDS = frozenset(
    (
        *("id", "owner_id", "profile_id", "subscription_id", "payment_method_id", "invoice_id", "line_id", "entry_id"),
        *("payment_intent_id", "payment_id", "object_id", "anonymous_id"),
    )
)
_COPIED_TEXTS = frozenset(
    ("account_id", "code", "customer_ref", "method_ref", "intent_ref", "charge_ref", "key", "number")
)
_COLUMNS = text(
    """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'billing' AND table_name = :table AND is_generated = 'NEVER' ORDER BY ordinal_position
    """
)
# The first half of an id is its moment, the second chance: the same one for the same original and copy.
_ANOTHER_ID = "(left(replace(t.{0}::text, '-', ''), 16) || left(md5(t.{0}::text || copy), 16))::uuid"


def multiply(engine: Engine, *, times: int) -> None:
    """Add `times` copies of every invoice that there is."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("SET LOCAL work_mem = '256MB'"))
        numbers = connection.execute(text("SELECT next_no - 1 FROM billing.series WHERE kind = 'invoice'")).scalar_one()
        for table in TABLES:
            connection.execute(text(_copy(connection, table, times=times, numbers=numbers)))
        connection.execute(
            text("UPDATE billing.series SET next_no = 1 + :numbers * (:times + 1) WHERE kind = 'invoice'"),
            {"numbers": numbers, "times": times},
        )


def _copy(connection: Connection, table: str, *, times: int, numbers: int) -> str:
    columns = connection.execute(_COLUMNS, {"table": table}).all()
    names = ", ".join(row.column_name for row in columns)
    values = ", ".join(_value(row.column_name, row.data_type, numbers) for row in columns)
    where = _WHERE.get(table, "true")
    return f"""
        INSERT INTO billing.{table} ({names})
        SELECT {values} FROM billing.{table} t CROSS JOIN generate_series(1, {times}) AS copy WHERE {where}
    """  # noqa: S608 (our own names)


def _value(name: str, kind: str, numbers: int) -> str:
    if name in _COPIED_IDS and kind == "uuid":
        return _ANOTHER_ID.format(name)
    if name in _COPIED_TEXTS and kind == "text":
        return f"t.{name} || '-' || copy"
    if name == "series_no":
        return f"t.series_no + copy * {numbers}"
    return f"t.{name}"
