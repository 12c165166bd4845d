"""The address of an endpoint's owner, sealed under the endpoint's own data key; and whom to tell now."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.commands.key.obtain import endpoint_key
from billing.models import Endpoint
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import seal, unseal

_TAKE = text(
    """
    UPDATE billing.endpoint e SET tell_owner_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM billing.seller s
    WHERE s.id = e.seller_id AND e.id = ANY(ARRAY(
        SELECT id FROM billing.endpoint WHERE tell_owner_at <= clock_timestamp()
        ORDER BY tell_owner_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING e.id, e.code, e.contact, e.off_at, e.off_reason, e.tell_owner_at, s.legal_name AS seller,
              clock_timestamp() - e.off_at > make_interval(secs => :life_s) AS late
    """
)
_TOLD = text(
    """
    UPDATE billing.endpoint SET tell_owner_at = NULL
    WHERE id = :id AND tell_owner_at = :taken_until AND off_at = :off_at
    """
)


def set_contact(session: Session, keyring: Keyring, *, endpoint: Endpoint, address: str | None) -> None:
    """Keep a checked address, or none."""
    key = endpoint_key(session, keyring, endpoint_id=endpoint.id)
    sealed = seal(key, address.encode(), table="endpoint", row=endpoint.id, column="contact") if address else None
    endpoint.contact = sealed
    if sealed is None:
        endpoint.tell_owner_at = None
    session.flush()


def take_owners_to_tell(session: Session, *, lease_s: float, life_s: float, most: int) -> list[Row[Any]]:
    """Endpoints that went off and whose owner was not told yet, taken for `lease_s` (wall seconds).

    `late`: it has been off for longer than `life_s`.
    """
    return list(session.execute(_TAKE, {"lease_s": lease_s, "life_s": life_s, "most": most}))


def address_of(session: Session, keyring: Keyring, row: Row[Any]) -> str:
    """The owner's address, opened for this sending. Raises `SealBroken`."""
    key = endpoint_key(session, keyring, endpoint_id=row.id)
    return unseal(key, row.contact, table="endpoint", row=row.id, column="contact").decode()


def end_telling(session: Session, row: Row[Any]) -> None:
    """The owner is told, or there is no sense in another try. One that went off again meanwhile is left alone."""
    session.execute(_TOLD, {"id": row.id, "taken_until": row.tell_owner_at, "off_at": row.off_at})
