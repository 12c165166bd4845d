"""Customers whose VAT number nobody was asked about yet, claimed for a while, with what asking needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_CLAIM = text(
    """
    UPDATE billing.profile p SET tax_id_ask_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM billing.data_key k, billing.seller s
    WHERE k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0 AND s.id = p.seller_id AND p.id = ANY(ARRAY(
        SELECT id FROM billing.profile
        WHERE has_tax_id AND NOT tax_id_check ? 'register'
          AND coalesce(tax_id_ask_at, '-infinity') <= clock_timestamp()
        ORDER BY coalesce(tax_id_ask_at, '-infinity') LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING p.id, p.country, p.personal, p.tax_id_check, k.id AS key_id, k.master_id, k.wrapped,
              s.country AS seller_country, s.tax_id AS seller_tax_id
    """
)
_LATER = text(
    "UPDATE billing.profile SET tax_id_ask_at = clock_timestamp() + make_interval(secs => :pause_s) WHERE id = :id"
)


def claim_unasked(session: Session, *, lease_s: float, most: int) -> Sequence[Row[Any]]:
    """At most `most`, longest waiting first. `lease_s` is wall time: a lease that ran out is claimed again."""
    return session.execute(_CLAIM, {"lease_s": lease_s, "most": most}).all()


def ask_later(session: Session, profile_id: UUID, *, pause_s: float) -> None:
    """Nobody answered: again after `pause_s` (wall seconds)."""
    session.execute(_LATER, {"id": profile_id, "pause_s": pause_s})
