"""What storing a delivery needs to know beside it, in one statement: it stands before every 2xx."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch

_READ = """
    SELECT clock_timestamp() AS wall_now, a.id AS account_id, a.livemode, k.id AS key_id, k.master_id, k.wrapped
    FROM (SELECT 1) AS always
    LEFT JOIN billing.provider_account a ON a.provider = %(provider)s AND a.code = %(code)s
    LEFT JOIN billing.data_key k ON k.purpose = 'inbox' AND k.owner_id = a.id AND k.year = 0
"""


@dataclass(frozen=True, slots=True)
class Receiving:
    """Wall time; the account, null where it is not known; and its inbox key as it is wrapped, null before its first."""

    wall_now: datetime
    account_id: UUID | None
    livemode: bool | None
    key_id: UUID | None
    master_id: str | None
    wrapped: bytes | None


def receiving(session: Session, *, provider: str, code: str) -> Receiving:
    """Of the account of that code, known or not."""
    (row,) = fetch(session, _READ, provider=provider, code=code)
    return Receiving(*row)
