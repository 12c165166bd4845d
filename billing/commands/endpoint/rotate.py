"""Rotate an endpoint's signing secret: the new one signs at once, the former one beside it for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from billing.commands.endpoint.secrets import seal_secret
from billing.commands.key.obtain import endpoint_key
from billing.delivery.signature import new_secret
from billing.kernel.errors import Fault, Refused
from billing.models import Endpoint
from billing.privacy.keyring import Keyring


def rotate_secret(session: Session, keyring: Keyring, *, endpoint: Endpoint, keep_hours: int, wall: datetime) -> str:
    """Returns the new secret, which is never told again. `endpoint` is locked; 0 hours end the former at once.

    Raises `Refused` (`endpoint_secret_rotating`) while an earlier rotation keeps a former one: two are valid at once,
    never three.
    """
    if keep_hours and endpoint.former_until is not None and wall < endpoint.former_until:
        mend = f"the former secret is valid until {endpoint.former_until:%Y-%m-%d %H:%M} UTC; wait, or keep 0 hours"
        raise Refused(Fault("secret", "endpoint_secret_rotating", mend))
    secret = new_secret()
    key = endpoint_key(session, keyring, endpoint_id=endpoint.id)
    endpoint.former_secret = endpoint.secret if keep_hours else None
    endpoint.former_until = wall + timedelta(hours=keep_hours) if keep_hours else None
    endpoint.secret = seal_secret(secret, key=key, endpoint_id=endpoint.id)
    session.flush()
    return secret
