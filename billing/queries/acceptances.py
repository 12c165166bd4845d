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

STATES = ("in_force", "revoked")


@dataclass(frozen=True, slots=True)
class FindingKey:
    """By which two findings are the same: the invariant, the thing, and what an audit says of it.

    Said in other words, such as with another amount, it is another finding.
    """

    code: str
    subject_type: str
    subject_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepted a finding, why, and when (business time)."""

    id: UUID
    actor: str
    reason: str
    accepted_at: datetime


def in_force(session: Session) -> dict[FindingKey, Acceptance]:
    """All that is accepted now. People accept few: they are read whole."""
    held = select(AuditAcceptance).where(AuditAcceptance.revoked_at.is_(None))
    return {key_of(row): Acceptance(row.id, row.actor, row.reason, row.accepted_at) for row in session.scalars(held)}


def in_force_of(session: Session, findings: Iterable[FindingKey]) -> set[FindingKey]:
    """Of these, what is accepted now; no other acceptance is read."""
    asked = set(findings)
    things = {(each.code, each.subject_type, each.subject_id) for each in asked}
    thing = tuple_(AuditAcceptance.code, AuditAcceptance.subject_type, AuditAcceptance.subject_id)
    held = select(AuditAcceptance).where(thing.in_(sorted(things)), AuditAcceptance.revoked_at.is_(None))
    return asked & {key_of(row) for row in session.scalars(held)}


def key_of(row: AuditAcceptance) -> FindingKey:
    """What was accepted."""
    return FindingKey(row.code, row.subject_type, row.subject_id, row.detail)


def lock_older(session: Session, began_at: datetime, *, witnessed: bool) -> list[AuditAcceptance]:
    """Those in force that were accepted before an audit begun at `began_at` (wall time), locked.

    Unless that one read a witness, without those of what only a witness shows.
    """
    older = select(AuditAcceptance).where(AuditAcceptance.revoked_at.is_(None), AuditAcceptance.created_at < began_at)
    if not witnessed:
        older = older.where(~AuditAcceptance.witnessed)
    return list(session.scalars(older.order_by(AuditAcceptance.id).with_for_update()))


def keys_of(findings: list[dict[str, Any]]) -> list[FindingKey]:
    """What a work item keeps of the audit that raised it, each once."""
    return list(dict.fromkeys(FindingKey(**each) for each in findings))


def lock_acceptance(session: Session, acceptance_id: UUID) -> AuditAcceptance:
    """Raises `Refused` (`acceptance_not_found`)."""
    found = session.get(AuditAcceptance, acceptance_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise _unknown()
    return found


COLUMNS = """
SELECT a.id, CASE WHEN a.revoked_at IS NULL THEN 'in_force' ELSE 'revoked' END AS state, s.code AS seller,
       a.code, a.subject_type, a.subject_id, a.detail, a.reason, a.actor, a.accepted_at, a.revoked_at,
       a.revoked_by, a.revoked_because, a.work_item_id, a.version
FROM billing.audit_acceptance a LEFT JOIN billing.seller s ON s.id = a.seller_id
"""
IN_STATE = "(CAST(:state AS text) IS NULL OR (a.revoked_at IS NULL) = (:state = 'in_force'))"
"""Of one of `STATES`; of any where `state` is null."""

_LIST = f"""
{COLUMNS}
WHERE {IN_STATE}
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
    return Refused(Fault("acceptance", "acceptance_not_found", "give an id of `billing acceptance list`"))
