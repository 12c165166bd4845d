"""Open a session: one browser of an operator is in, until it is idle or old (`flows.entering`)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import OperatorSession

_TOKEN_BYTES = 32


def open_session(session: Session, *, operator_id: UUID, wall: datetime) -> str:
    """The token, for that browser alone: always a new one, so that none can be planted before."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    session.add(OperatorSession(id=new_id(), operator_id=operator_id, token_hash=hash_of(token), seen_at=wall))
    session.flush()
    return token


def hash_of(token: str) -> bytes:
    """What is stored of a token. It is random, so a plain hash can't be guessed."""
    return hashlib.sha256(token.encode()).digest()
