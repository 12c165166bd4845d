"""Give an operator a new password and a new second factor; what they had before is worth nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.commands.key.obtain import operator_key
from billing.commands.operator.end_sessions import end_sessions
from billing.models import Operator
from billing.privacy.keyring import Keyring
from billing.privacy.one_time_code import new_secret
from billing.privacy.password import hashed, new_password
from billing.privacy.sealed import seal


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is told once, to the operator alone. It shows nothing of itself in a log."""

    password: str
    second_factor: bytes

    def __repr__(self) -> str:
        return "Credentials(...)"


def renew_credentials(session: Session, keyring: Keyring, *, operator: Operator) -> Credentials:
    """Every session of theirs ends. A repeat gives others."""
    made = Credentials(new_password(), new_secret())
    key = operator_key(session, keyring, operator_id=operator.id)
    operator.password_hash = hashed(made.password)
    operator.second_factor = seal(key, made.second_factor, table="operator", row=operator.id, column="second_factor")
    operator.code_step = None
    end_sessions(session, operator_id=operator.id)
    session.flush()
    return made
