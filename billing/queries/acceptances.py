"""Acceptances of what the audit found: those in force, which an audit asks for once, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import AuditAcceptance
from billing.queries.operations.paging import Facts, Page, read_all, read_page

STATES = ("in_force", "taken_back")


@dataclass(frozen=True, slots=True)
class Saying:
    """What an audit says of a thing. Said in other words, such as with another amount, it is another finding."""

    code: str
    subject_type: str
    subject_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Because:
    """Who accepted a finding, why, and when (business time)."""

    id: UUID
    actor: str
    reason: str
    accepted_at: datetime


def in_force(session: Session) -> dict[Saying, Because]:
    """All that is accepted now. People accept few: they are read whole."""
    held = select(AuditAcceptance).where(AuditAcceptance.taken_back_at.is_(None))
    return {said_in(row): Because(row.id, row.actor, row.reason, row.accepted_at) for row in session.scalars(held)}


def in_force_of(session: Session, said: Iterable[Saying]) -> set[Saying]:
    """Of these, what is accepted now; no other acceptance is read."""
    asked = set(said)
    things = {(each.code, each.subject_type, each.subject_id) for each in asked}
    thing = tuple_(AuditAcceptance.code, AuditAcceptance.subject_type, AuditAcceptance.subject_id)
    held = select(AuditAcceptance).where(thing.in_(sorted(things)), AuditAcceptance.taken_back_at.is_(None))
    return asked & {said_in(row) for row in session.scalars(held)}


def said_in(row: AuditAcceptance) -> Saying:
    """The words that were accepted."""
    return Saying(row.code, row.subject_type, row.subject_id, row.detail)


def lock_older(session: Session, began_at: datetime, *, witnessed: bool) -> list[AuditAcceptance]:
    """Those in force that were accepted before an audit begun at `began_at` (wall time), locked.

    Unless that one read a witness, without those of what only a witness shows.
    """
    older = select(AuditAcceptance).where(
        AuditAcceptance.taken_back_at.is_(None), AuditAcceptance.created_at < began_at
    )
    if not witnessed:
        older = older.where(~AuditAcceptance.witnessed)
    return list(session.scalars(older.order_by(AuditAcceptance.id).with_for_update()))


def said_by(findings: list[dict[str, Any]]) -> list[Saying]:
    """What a work item keeps of the audit that raised it, each once."""
    return list(dict.fromkeys(Saying(**each) for each in findings))


def lock_acceptance(session: Session, acceptance_id: UUID) -> AuditAcceptance:
    """Raises `Refused` (`acceptance_not_found`)."""
    found = session.get(AuditAcceptance, acceptance_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise _unknown()
    return found


COLUMNS = """
SELECT a.id, CASE WHEN a.taken_back_at IS NULL THEN 'in_force' ELSE 'taken_back' END AS state, s.code AS seller,
       a.code, a.subject_type, a.subject_id, a.detail, a.reason, a.actor, a.accepted_at, a.taken_back_at,
       a.taken_back_by, a.taken_back_because, a.work_item_id, a.version
FROM billing.audit_acceptance a LEFT JOIN billing.seller s ON s.id = a.seller_id
"""
_LIST = f"""
{COLUMNS}
WHERE (CAST(:state AS text) IS NULL OR (a.taken_back_at IS NULL) = (:state = 'in_force'))
  AND (CAST(:code AS text) IS NULL OR a.code = :code)
  AND (CAST(:before AS uuid) IS NULL OR a.id < :before)
ORDER BY a.id DESC LIMIT :limit
"""


def list_acceptances(
    session: Session, *, state: str | None = None, code: str | None = None, before: UUID | None = None, limit: int = 50
) -> Page:
    """Newest first; of one of `STATES`, of one invariant."""
    return read_page(session, _LIST, {"state": state, "code": code, "before": before}, limit=limit)


def show_acceptance(session: Session, acceptance_id: UUID) -> Facts:
    """One of them. Raises `Refused` (`acceptance_not_found`)."""
    found = read_all(session, f"{COLUMNS} WHERE a.id = :id", {"id": acceptance_id})
    if not found:
        raise _unknown()
    return found[0]


def _unknown() -> Refused:
    return Refused(Fault("acceptance", "acceptance_not_found", "give an id of `billing accepted list`"))
