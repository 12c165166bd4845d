"""Money of ours that a provider held for long before it moved, and whose movement is not among the read ones yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.models.payment import HELD

_TOLD = timedelta(days=3)
"""So long after its end the movement is looked for."""

_SQL = text(
    f"""
    WITH unlisted AS (
        SELECT begun, row_number() OVER (ORDER BY closed_at, ref) - 1 AS place, count(*) OVER () AS many FROM (
            SELECT first_sent_at AS begun, closed_at, provider_account_id, charge_ref AS ref FROM billing.payment
            WHERE provider_account_id = :account AND closed_at >= :ended_from AND {HELD}
            UNION ALL
            SELECT first_sent_at, closed_at, provider_account_id, refund_ref FROM billing.refund
            WHERE provider_account_id = :account AND closed_at >= :ended_from AND {HELD}
        ) AS ended
        WHERE NOT EXISTS (SELECT FROM billing.provider_movement m
                          WHERE m.provider_account_id = ended.provider_account_id AND m.source_ref = ended.ref
                            AND m.type <> 'paypal_exchange')
    )
    SELECT begun FROM unlisted ORDER BY (place - :turn * :most % many + many) % many LIMIT :most
    """  # noqa: S608 (our own words)
)


def unlisted_since(session: Session, *, account_id: UUID, now: datetime, most: int) -> list[datetime]:
    """When so many of them were begun (business time): each hour the next ones, in the order in which they ended.

    What is never listed holds up no other.
    """
    turn = int(now.timestamp()) // 3600
    values = {"account": account_id, "ended_from": now - _TOLD, "most": most, "turn": turn}
    return list(session.execute(_SQL, values).scalars())
