"""Accepting: what an audit found, is true, and can't be undone, accuses no more, and is told all the same.

A person says why. It holds for the very words of the finding: where they change, as by an amount, it accuses again. And
it holds while audits of everything find it: what was gone and comes back is another.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.audit_acceptance.accept import accept_findings
from billing.commands.audit_acceptance.revoke import revoke as revoke_it
from billing.commands.audit_trail.record import ENGINE, record
from billing.commands.expected_version import require_version
from billing.commands.work_item.close import close_item
from billing.flows.audit_report import Report
from billing.flows.order import Done, Order, carry_out
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.findings import findings_digest
from billing.kernel.status import LIVE_WORK, WorkItemStatus
from billing.models import AuditAcceptance, WorkItem
from billing.queries.acceptances import in_force_of, key_of, keys_of, lock_acceptance, lock_older
from billing.queries.operations.work import lock_item


def accept(parts: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    """Accept all that an audit's item tells of its thing, and close it. A repeat changes nothing and says so.

    Raises `Refused` (`finding_not_standing`) where the last audit that looked there did not find it, and `Stale`
    where it says other things by now than the order expects.
    """
    lock_item(session, item.id)
    require_version(item, order.expected_version)
    if order.expected_findings not in (None, findings_digest(item.findings or [])):
        raise Stale("an audit says other things of it by now; reload, and read them")
    live = item.status in LIVE_WORK
    found = keys_of(item.findings or [])
    known = in_force_of(session, found)
    new = [each for each in found if each not in known]
    if not live and found and not new:
        return Done(item.id, item.kind, changed=False, told="it is accepted already; nothing was changed")
    if not live or not found:
        mend = "the last audit that looked there did not find it; run `billing audit`, and accept what it finds"
        raise Refused(Fault("finding", "finding_not_standing", mend))
    now = parts.clock.now(session)
    accept_findings(session, item=item, findings=new, actor=order.actor, reason=order.reason, now=now)
    close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
    told = "; ".join(f"{each.code}: {each.detail}" for each in found)
    return Done(item.id, item.kind, changed=True, told=f"accepted, in just these words: {told}")


def revoke(parts: Parts, acceptance_id: UUID, *, order: Order) -> Done:
    """What was accepted is a violation again, from the next audit of everything on. A repeat changes nothing.

    Raises `Refused` (`acceptance_not_found`), and `Stale` where another version of it is expected.
    """
    with carry_out(parts, order) as session:
        held = lock_acceptance(session, acceptance_id)
        name = f"{held.code} of {held.subject_type} {held.subject_id}"
        require_version(held, order.expected_version)
        if not _revoke(session, held, actor=order.actor, reason=order.reason, now=parts.clock.now(session)):
            return Done(held.id, name, changed=False, told="it is revoked already; nothing was changed")
        return Done(held.id, name, changed=True, told="revoked: the next audit of everything accuses it again")


def revoke_gone(session: Session, report: Report, *, now: datetime) -> None:
    """Revoke at business time `now` what this audit of everything looked for and did not find any more.

    Where it comes back it is another fault, whatever its words. What only a witness shows is gone only for one.
    """
    found = {each.violation.key for each in report.accepted} | {each.key for each in report.violations}
    for held in lock_older(session, report.began_at, witnessed=report.witnessed):
        if key_of(held) not in found:
            _revoke(session, held, actor=ENGINE, reason="an audit of everything did not find it any more", now=now)


def _revoke(session: Session, held: AuditAcceptance, *, actor: str, reason: str, now: datetime) -> bool:
    if not revoke_it(session, acceptance=held, actor=actor, reason=reason, now=now):
        return False
    record(
        session,
        actor=actor,
        action="acceptance.revoke",
        reason=reason,
        subject_type="audit_acceptance",
        subject_id=held.id,
        now=now,
        seller_id=held.seller_id,
        before={"state": "in_force", "code": held.code, "subject_id": held.subject_id, "detail": held.detail},
        after={"state": "revoked"},
    )
    return True
