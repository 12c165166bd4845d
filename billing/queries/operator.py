"""Operators: by name, by the session of a browser, and the list of them all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Operator, OperatorSession
from billing.queries.operations.paging import Facts, read_all

_LIST = """
SELECT o.id, o.name, o.role, o.status, o.password_hash IS NOT NULL AS has_password, o.created_at,
       (SELECT max(s.seen_at) FROM billing.operator_session s WHERE s.operator_id = o.id) AS seen_at
FROM billing.operator o ORDER BY o.name
"""


@dataclass(frozen=True, slots=True)
class Entered:
    """An open session and whose it is. Wall times."""

    session_id: UUID
    operator_id: UUID
    name: str
    role: str
    opened_at: datetime
    seen_at: datetime
    told: str | None


def find_operator(session: Session, name: str) -> Operator | None:
    """By exact name; the disabled ones too."""
    return session.scalars(select(Operator).where(Operator.name == name)).one_or_none()


def lock_operator(session: Session, name: str) -> Operator:
    """By exact name. Raises `Refused` (`operator_not_found`)."""
    found = session.scalars(select(Operator).where(Operator.name == name).with_for_update()).one_or_none()
    if found is None:
        raise Refused(Fault("operator", "operator_not_found", "`billing operator list` shows them"))
    return found


def session_of(session: Session, token_hash: bytes) -> Entered | None:
    """The open session of that token, of an operator who may still come in."""
    row = session.execute(
        select(OperatorSession, Operator)
        .join(Operator, Operator.id == OperatorSession.operator_id)
        .where(OperatorSession.token_hash == token_hash, OperatorSession.ended_at.is_(None), Operator.status == "on")
    ).one_or_none()
    if row is None:
        return None
    entered, operator = row
    return Entered(
        entered.id, operator.id, operator.name, operator.role, entered.created_at, entered.seen_at, entered.told
    )


def list_operators(session: Session) -> list[Facts]:
    """All of them, by name, with when each was last seen."""
    return read_all(session, _LIST, {})
