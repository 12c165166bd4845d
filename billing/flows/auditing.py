"""Auditing: what changed is checked every quarter of an hour, all of it once a day. Findings become work.

Each run looks at what changed since the last clean one began, and some minutes more for what was under way. While
anything is broken that moment stands still, so that a finding is looked at until it is mended. What a whole audit or
the witness has found is looked at by no other: only its like may say that it is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.audit_run.record import record_run, seal
from billing.commands.work_item.close import close_item
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows.accepting import revoke_gone
from billing.flows.audit import run
from billing.flows.audit_report import Report, Violation
from billing.flows.parts import Parts
from billing.flows.quarantine import park_customers
from billing.kernel.status import WorkItemStatus
from billing.kernel.work import WorkKind
from billing.models import WorkItem
from billing.queries.acceptances import in_force
from billing.queries.audit_runs import last_clean, live_findings
from billing.queries.finding_owners import owners

_log = structlog.get_logger(__name__)

FINDING = WorkKind.INVARIANT_BROKEN
"""Kind of the work items: one a thing, whatever it breaks."""
BY_WITNESS = WorkKind.WITNESS_DISAGREES
"""Kind of those that only the witness shows."""
SHOWN = 200
"""Findings of one invariant that become work; all are counted."""
OVERLAP = timedelta(minutes=10)
"""Longer than any transaction: what it wrote bears the time at which it was written, not that of its commit."""
AT_FIRST = timedelta(days=1)
"""How far the first run looks back where no audit was ever clean. Run a whole one once: `billing audit`."""
WHOLE_LIMIT = timedelta(hours=2)
"""Wall time that an audit of everything may take. One that did not come to its end is begun anew after it."""
_PUT_RIGHT = frozenset({"trigger"})
"""Types of things of which no finding is accepted: what is off is made again."""
_TAKEN_OUT = frozenset({"S1", "S2", "S5"})
"""Invariants of which none is: a secret, and what is left of an erased customer, are taken out of where they stand. The
next there would be told in the same words."""
_THINGS = UUID("0d9a4a53-6f0e-4e63-9a0f-0a2c3b7f5d11")
"""Namespace of things that have no id of ours, such as a charge that only the provider knows."""

_CLAIM = text(
    """
    INSERT INTO billing.heartbeat (tick, worker, seen_at)
    VALUES (:name, 'audit', clock_timestamp() - make_interval(secs => :every_s - :lease_s))
    ON CONFLICT (tick) DO UPDATE SET seen_at = excluded.seen_at
    WHERE heartbeat.seen_at <= clock_timestamp() - make_interval(secs => :every_s)
    RETURNING tick
    """
)
_DONE = text("UPDATE billing.heartbeat SET seen_at = clock_timestamp() WHERE tick = :name")


def tick(parts: Parts) -> Report | None:
    """Check what changed, if the last time is long enough ago (a setting) and nobody else does."""
    every_s = parts.settings.audit_every_s
    return recent(parts) if _claim(parts, "audit", every_s=every_s, lease_s=every_s) else None


def tick_whole(parts: Parts) -> Report | None:
    """The same of everything, once a day (a setting). One that was killed is begun anew once `WHOLE_LIMIT` is over."""
    every_s = parts.settings.audit_whole_every_s
    lease_s = min(every_s, int(WHOLE_LIMIT.total_seconds()))
    if not _claim(parts, "audit.everything", every_s=every_s, lease_s=lease_s):
        return None
    report = run(parts, shown=SHOWN, with_acceptances=True)
    keep(parts, report)
    with parts.begin() as session:
        session.execute(_DONE, {"name": "audit.everything"})
    return report


def _claim(parts: Parts, name: str, *, every_s: int, lease_s: int) -> bool:
    if not every_s:
        return False
    with parts.begin() as session:
        values = {"name": name, "every_s": every_s, "lease_s": lease_s}
        return session.execute(_CLAIM, values).one_or_none() is not None


def recent(parts: Parts) -> Report:
    """Check what changed since the last clean audit, keep what was found, and make work of it."""
    with parts.begin() as session:
        since = (last_clean(session) or wall_now(session) - AT_FIRST) - OVERLAP
    report = run(parts, since=since, shown=SHOWN, with_acceptances=True)
    keep(parts, report)
    return report


def keep(parts: Parts, report: Report) -> None:
    """Write the row of an audit of every invariant, and its findings as work items; close those that are gone.

    Customers whose money or documents are concerned are parked before anything more is charged.
    """
    with parts.begin() as session:
        # One at a time, so that the rows of runs and of what each has found stand in one order.
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('billing.audit.keep'))"))
        now = parts.clock.now(session)
        record_run(
            session,
            since=report.since,
            began_at=report.began_at,
            ended_at=wall_now(session),
            rows_seen=sum(each.rows for each in report.checked),
            by_code={each.code: each.violations for each in report.checked},
            accepted={each.code: each.accepted for each in report.checked if each.accepted},
        )
        # What was accepted since its snapshot was taken is no news.
        known = in_force(session)
        news = [each for each in report.violations if each.key not in known]
        for kind in (FINDING, BY_WITNESS) if report.witnessed else (FINDING,):
            found = _by_thing([each for each in news if each.witnessed == (kind == BY_WITNESS)])
            _raise(session, kind, found, now)
            if len(report.violations) == report.found:
                _close(session, live_findings(session, kind, report.began_at, whole=report.since is None), found, now)
        if report.since is None:
            revoke_gone(session, report, now=now)
    if report.since is None and not report.broken:
        # By itself: it reads whole tables, and other audits don't wait for that.
        with parts.begin() as session:
            seal(session, began_at=report.began_at)
    park_customers(parts, news)
    if report.broken:
        _log.error("audit_found", violations=report.found, codes=sorted({each.code for each in report.violations}))


def _by_thing(violations: Sequence[Violation]) -> dict[UUID, list[Violation]]:
    found: dict[UUID, list[Violation]] = defaultdict(list)
    for each in violations:
        found[_id_of(each)].append(each)
    return found


def _id_of(violation: Violation) -> UUID:
    try:
        return UUID(violation.subject_id)
    except ValueError:
        return uuid5(_THINGS, f"{violation.subject_type}/{violation.subject_id}")


def _raise(session: Session, kind: WorkKind, found: dict[UUID, list[Violation]], now: datetime) -> None:
    whose = owners(session, (each[0].thing for each in found.values()))
    for id_, violations in sorted(found.items()):
        first = violations[0]
        owner = whose.get(first.thing)
        codes = ", ".join(sorted({each.code for each in violations}))
        raise_item(
            session,
            kind=kind,
            subject_type=first.subject_type,
            subject_id=id_,
            seller_id=owner.seller_id if owner else None,
            profile_id=owner.profile_id if owner else None,
            summary=f"The audit finds {codes} broken by {first.subject_type} {first.subject_id}.",
            error="; ".join(f"{each.code}: {each.detail}" for each in violations[:5]),
            safe_actions=["park"] if any(map(_is_put_right, violations)) else ["park", "accept"],
            findings=[asdict(each.key) for each in violations],
            now=now,
        )


def _is_put_right(violation: Violation) -> bool:
    return violation.subject_type in _PUT_RIGHT or violation.code in _TAKEN_OUT


def _close(session: Session, looked_at: Iterable[WorkItem], found: Container[UUID], now: datetime) -> None:
    for item in looked_at:
        if item.subject_id not in found:
            close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
