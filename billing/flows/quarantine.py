"""Quarantine: what the audit finds broken for a customer parks that customer, before anything more is charged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.profile.quarantine import quarantine
from billing.flows.audit_report import Violation
from billing.flows.parts import Parts
from billing.queries.finding_owners import owners
from billing.queries.soundness import unsound_customers

PARKING = frozenset("P1 P2 P3 P4 P5 P6 P7 P8 P9 L4 L5 L7 L8 N4 N6 R1 R2 R3".split())
"""Invariants about one customer's money, documents and periods. What is only late (R6, J3, C1) parks nobody."""


def park_unsound(session: Session, invoices: Sequence[UUID], *, now: datetime) -> None:
    """Park whoever has one of these open invoices whose debt the books don't confirm, before anything is charged."""
    for unsound in unsound_customers(session, invoices):
        quarantine(session, profile_id=unsound.profile_id, detail=unsound.detail, now=now)


def park_customers(parts: Parts, violations: Iterable[Violation]) -> int:
    """Park each customer that a violation is about. Returns how many were parked by this.

    A customer on hold already stays so, with the finding on a work item of its own. Running it twice changes nothing
    but the item's count.
    """
    parked = 0
    parking = [each for each in violations if each.code in PARKING]
    with parts.begin() as session:
        whose = owners(session, (each.thing for each in parking))
    for violation in parking:
        owner = whose.get(violation.thing)
        if owner is None or owner.profile_id is None:
            continue
        profile_id = owner.profile_id
        with parts.begin() as session:
            detail = f"{violation.code} {violation.subject_type} {violation.subject_id}: {violation.detail}"
            parked += quarantine(session, profile_id=profile_id, detail=detail, now=parts.clock.now(session))
    return parked
