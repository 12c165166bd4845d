"""Money of ours that a provider held for long before it moved, and whose movement is not among the read ones yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.ids import lowest_id_at

HELD_MOST = timedelta(days=45)
"""From the beginning to the end: PayPal gives back after 30 days what its seller has not accepted."""
_HELD = timedelta(hours=1)
_TOLD = timedelta(days=3)
"""So long after its end the movement is looked for."""

_SQL = text(
    """
    SELECT begun FROM (
        SELECT first_sent_at AS begun, closed_at, provider_account_id, charge_ref AS ref FROM billing.payment
        WHERE provider_account_id = :account AND id >= :lowest AND status = 'succeeded'
        UNION ALL
        SELECT first_sent_at, closed_at, provider_account_id, refund_ref FROM billing.refund
        WHERE provider_account_id = :account AND id >= :lowest AND status = 'succeeded'
    ) AS ended
    WHERE closed_at >= :ended_from AND closed_at >= begun + CAST(:held AS interval)
      AND NOT EXISTS (SELECT FROM billing.provider_movement m
                      WHERE m.provider_account_id = ended.provider_account_id AND m.source_ref = ended.ref)
    ORDER BY closed_at LIMIT :most
    """
)


def unlisted_since(session: Session, *, account_id: UUID, now: datetime, all_ids: bool, most: int) -> list[datetime]:
    """When each of them was begun (business time), those that ended first before the others.

    `all_ids`: ids don't carry business time here, as in the sandbox, so none is left out by its own.
    """
    values = {
        "account": account_id,
        "lowest": UUID(int=0) if all_ids else lowest_id_at(now - HELD_MOST),
        "ended_from": now - _TOLD,
        "held": _HELD,
        "most": most,
    }
    return list(session.execute(_SQL, values).scalars())
