"""Moves: what was told of a thing, step by step, are edges of its published state machine."""

from __future__ import annotations

from enum import StrEnum

from billing.kernel.moves import moves_from
from billing.kernel.status import DisputeStatus, RefundStatus
from billing.queries.audit.invariant import Check, finds

_UNKNOWN = """
SELECT '{noun}', object_id, format('went from %s to %s', before, status)
FROM (SELECT object_id, payload ->> 'status' AS status,
             lag(payload ->> 'status') OVER (PARTITION BY object_id ORDER BY id) AS before
      FROM billing.outbox WHERE topic = '{noun}.updated') told
WHERE before IS NOT NULL AND status <> before AND NOT (before || '>' || status) = ANY(:moves)
"""


def _moves(noun: str, known: type[StrEnum]) -> Check:
    moves = [f"{before}>{after}" for before in known for after in moves_from(before)]
    return finds(_UNKNOWN.format(noun=noun), moves=moves)


TOLD_MOVES = (_moves("refund", RefundStatus), _moves("dispute", DisputeStatus))
"""Each move of a refund or a dispute is told, with its state."""
