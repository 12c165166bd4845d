"""Give the movements of the provider's balance to the payout that took them to the bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Locked in the order of their ids, as by who books them.
_ASSIGN = text(
    """
    WITH p AS (
        UPDATE billing.payout SET listed_after = :after, version = version + 1, updated_at = clock_timestamp()
        WHERE provider_account_id = :account AND payout_ref = :ref AND listed_at IS NULL
        RETURNING id, provider_account_id
    ), held AS MATERIALIZED (
        SELECT m.id, p.id AS payout_id
        FROM p JOIN billing.provider_movement m ON m.provider_account_id = p.provider_account_id
        WHERE m.balance_ref = ANY(:held) AND m.type <> 'payout'
        ORDER BY m.id FOR NO KEY UPDATE OF m
    )
    UPDATE billing.provider_movement m
    SET payout_id = held.payout_id, version = m.version + 1, updated_at = clock_timestamp()
    FROM held
    WHERE m.id = held.id
    """
)
_END = text(
    """
    UPDATE billing.payout SET listed_at = :now, version = version + 1, updated_at = clock_timestamp()
    WHERE provider_account_id = :account AND payout_ref = :ref AND listed_at IS NULL
    """
)


def assign_movements(session: Session, *, account_id: UUID, payout_ref: str, balance_refs: Sequence[str]) -> None:
    """The payout holds these, as far as they are in our rows; the next are listed after the last of them. Idempotent.

    A payout whose list has ended keeps it.
    """
    values = {"account": account_id, "ref": payout_ref, "held": list(balance_refs), "after": balance_refs[-1]}
    session.execute(_ASSIGN, values)


def end_list(session: Session, *, account_id: UUID, payout_ref: str, now: datetime) -> None:
    """What was assigned is all that the payout holds. Idempotent."""
    session.execute(_END, {"account": account_id, "ref": payout_ref, "now": now})
