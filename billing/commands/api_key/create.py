"""Create a key of the HTTP API. Nothing that is kept opens the door."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import ApiKey
from billing.privacy.api_token import fingerprint, new_token
from billing.validators.api_key import check_new_key


def create_key(session: Session, *, seller_id: UUID, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """Write one. Returns it with the key itself, which is never told again. Raises `Refused` as `check_new_key`."""
    check_new_key(name, scopes)
    made = new_token()
    hash_ = fingerprint(made.token)
    assert hash_ is not None
    row = ApiKey(
        id=new_id(), seller_id=seller_id, name=name, prefix=made.prefix, hash=hash_, scopes=sorted(set(scopes))
    )
    session.add(row)
    session.flush()
    return row, made.token
