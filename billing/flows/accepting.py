"""Accepting: what an audit found, is true, and can't be undone, accuses no more, and is told all the same.

A person says why. It holds for the very words of the finding: where they change, as by an amount, it accuses again. And
it holds while audits of everything find it: what was gone and comes back is another.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.audit_acceptance.accept import accept_findings
from billing.commands.audit_acceptance.take_back import take_back as take_it_back
from billing.commands.audit_trail.record import ENGINE, record
from billing.commands.expected_version import require_version
from billing.commands.work_item.close import close_item
from billing.flows.audit_report import Report
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.findings import findings_digest
from billing.kernel.status import WorkItemStatus
from billing.models import WorkItem
from billing.queries.acceptances import in_force_of, lock_acceptance, lock_older, said_by, said_in
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
    live = item.status in (WorkItemStatus.OPEN, WorkItemStatus.PARKED)
    said = said_by(item.findings or [])
    known = in_force_of(session, said)
    new = [each for each in said if each not in known]
    if not live and said and not new:
        return Done(item.id, item.kind, changed=False, told="it is accepted already; nothing was changed")
    if not live or not said:
        mend = "the last audit that looked there did not find it; run `billing audit`, and accept what it finds"
        raise Refused(Fault("finding", "finding_not_standing", mend))
    now = parts.clock.now(session)
    accept_findings(session, item=item, said=new, actor=order.actor, reason=order.reason, now=now)
    close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
    told = "; ".join(f"{each.code}: {each.detail}" for each in said)
    return Done(item.id, item.kind, changed=True, told=f"accepted, in just these words: {told}")


def take_back(parts: Parts, acceptance_id: UUID, *, order: Order) -> Done:
    """What was accepted is a violation again, from the next audit of everything on. A repeat changes nothing.

    Raises `Refused` (`acceptance_not_found`), and `Stale` where another version of it is expected.
    """
    with carry_out(parts, order) as session:
        held = lock_acceptance(session, acceptance_id)
        name = f"{held.code} of {held.subject_type} {held.subject_id}"
        require_version(held, order.expected_version)
        now = parts.clock.now(session)
        if not take_it_back(session, acceptance=held, actor=order.actor, reason=order.reason, now=now):
            return Done(held.id, name, changed=False, told="it is taken back already; nothing was changed")
        note(
            parts,
            session,
            order,
            action="finding.take_back",
            subject_type="audit_acceptance",
            subject_id=held.id,
            seller_id=held.seller_id,
            before={"state": "in_force", "code": held.code, "subject_id": held.subject_id, "detail": held.detail},
            after={"state": "taken_back"},
        )
        return Done(held.id, name, changed=True, told="taken back: the next audit of everything accuses it again")


def end_gone(session: Session, report: Report, *, now: datetime) -> None:
    """Take back at business time `now` what this audit of everything looked for and did not find any more.

    Where it comes back it is another fault, whatever its words. What only a witness shows is gone only for one.
    """
    found = {each.violation.said for each in report.accepted} | {each.said for each in report.violations}
    for held in lock_older(session, report.began_at, witnessed=report.witnessed):
        if said_in(held) in found:
            continue
        reason = "an audit of everything did not find it any more"
        take_it_back(session, acceptance=held, actor=ENGINE, reason=reason, now=now)
        record(
            session,
            actor=ENGINE,
            action="finding.gone",
            reason=reason,
            subject_type="audit_acceptance",
            subject_id=held.id,
            now=now,
            seller_id=held.seller_id,
            before={"state": "in_force", "code": held.code, "subject_id": held.subject_id, "detail": held.detail},
            after={"state": "taken_back"},
        )
