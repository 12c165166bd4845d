"""Move: write what changed of many invoices under collection, in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.db.rows import change
from billing.kernel.errors import Stale
from billing.queries.collecting import Collecting

_MOVED = {
    "status": "text",
    "amount_paid_minor": "bigint",
    "amount_carried_forward_minor": "bigint",
    "amount_remaining_minor": "bigint",
    "paid_at": "timestamptz",
    "next_attempt_at": "timestamptz",
    "charge_not_before": "timestamptz",
    "dunning_step": "int",
    "dunning_at": "timestamptz",
    "on_schedule": "boolean",
    "extra_try": "boolean",
    "waits_for_method": "boolean",
    "falls_back_to": "uuid",
    "card_limit_until": "timestamptz",
    "final_decision": "text",
}
_ARRAYS = ", ".join(f"%({name})s::{kind}[]" for name, kind in _MOVED.items())
_WRITE = f"""
    UPDATE billing.invoice i
    SET {", ".join(f"{name} = moved.{name}" for name in _MOVED)},
        version = i.version + 1, updated_at = clock_timestamp()
    FROM unnest(%(id)s::uuid[], %(seller_id)s::uuid[], {_ARRAYS})
         AS moved(id, seller_id, {", ".join(_MOVED)})
    WHERE i.id = moved.id AND i.seller_id = moved.seller_id
"""  # noqa: S608 (our own names)


def write_collecting(session: Session, invoices: Sequence[Collecting]) -> None:
    """Write their state. The caller has locked them in this transaction. Raises `Stale` where one is gone."""
    if not invoices:
        return
    columns = {name: [getattr(each, name) for each in invoices] for name in ("id", "seller_id", *_MOVED)}
    if change(session, _WRITE, **columns) != len(invoices):
        raise Stale("an invoice under collection is gone")
