"""Rekeying: data keys are wrapped anew under the newest master key, after which the older ones may go."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from billing.db.rows import change, fetch
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.queries.master_key import data_keys_by_master

_BATCH = 500
_ALL_KEYS = UUID("0f1f3a52-0e0d-4c0e-9d57-51f0f7a5c0de")
"""Subject of the audit trail: the data keys together."""

_OLDER = """
    SELECT id, master_id, wrapped FROM billing.data_key
    WHERE master_id <> %(newest)s AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(most)s
"""
_WRAP = """
    UPDATE billing.data_key k SET master_id = %(newest)s, wrapped = new.wrapped
    FROM unnest(%(ids)s::uuid[], %(olds)s::text[], %(wrapped)s::bytea[]) AS new(id, old, wrapped)
    WHERE k.id = new.id AND k.master_id = new.old
"""


def rewrap(parts: Parts, *, order: Order) -> int:
    """Wrap what is under an older master key, a batch a transaction; each batch stands in the audit trail.

    Returns how many were, or would be. Safe to repeat and to break off; what is sealed with the keys is not touched.
    Raises `Refused` (`master_key_missing`) where a key is under a master key that is not there any more.
    """
    newest, after, done = parts.keyring.master_ids[0], None, 0
    while True:
        with carry_out(parts, order) as session:
            rows = fetch(session, _OLDER, newest=newest, after=after, most=_BATCH)
            if not rows:
                return done
            again = [parts.keyring.rewrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id) for row in rows]
            after = rows[-1].id
            done += change(
                session,
                _WRAP,
                newest=newest,
                ids=[row.id for row in rows],
                olds=[row.master_id for row in rows],
                wrapped=[each.wrapped for each in again],
            )
            note(
                parts,
                session,
                order,
                action="keys.rewrap",
                subject_type="data_key",
                subject_id=_ALL_KEYS,
                seller_id=None,
                before={"master_ids": sorted({row.master_id for row in rows})},
                after={"master_id": newest, "keys": len(rows)},
            )


def data_keys(parts: Parts) -> dict[str, int]:
    """How many data keys each master key wraps, by its id, newest first, those of other processes last."""
    with parts.begin() as session:
        wrapped = data_keys_by_master(session)
    return dict.fromkeys(parts.keyring.master_ids, 0) | wrapped


def told_of_keys(wrapped: Mapping[str, int]) -> str:
    """The same in words."""
    return ", ".join(f"{id_} wraps {number or 'no data key'}" for id_, number in wrapped.items())
