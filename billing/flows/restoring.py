"""Restoring: a database brought back from an older backup is recognised, stopped, healed by reconciling, started.

Proof that rows were lost is a charge that names an attempt which is not there, or a refund of ours that is not: both
are committed before the provider hears of them. Until it is healed nothing is issued, opened or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import ENGINE, record
from billing.commands.brake.apply import apply_brake
from billing.commands.series.succeed import succeed_all
from billing.commands.work_item.raise_item import raise_item
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, Refused, Stale
from billing.kernel.ids import lowest_id_at
from billing.kernel.status import FAILED_REFUND, LIVE_WORK
from billing.kernel.work import WorkKind
from billing.models import Brake, WorkItem
from billing.providers.listed import ListedCharge, ListedRefund
from billing.providers.port import RefundFacts
from billing.queries.accounts import accounts_of
from billing.queries.brakes import BrakeKind
from billing.queries.reconciling import as_uuid
from billing.queries.same_database import (
    Named,
    NamedRefund,
    is_quiet,
    is_same,
    lost_attempts,
    lost_refunds,
    notice_server,
    pin_anew,
)
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)

RESTORED = WorkKind.DATABASE_RESTORED
"""Kind of the one work item of a restored database. While it is live, what stops everything is not released."""
SUBJECT = UUID("7c0a3f52-3a5c-4a57-8d0e-2f0a5b1f6d11")
UNDER_WAY = 4 / 3
"""Leases after which a call has ended: it is begun within one, and its time-outs are a third of one (DECISIONS 4)."""


class NotHealed(Stale):
    """What this tells of was lost with newer rows: it is handled once the database is reconciled."""


def is_restored(session: Session) -> bool:
    """Whether a restored database waits to be healed."""
    query = select(WorkItem.id).where(
        WorkItem.kind == RESTORED, WorkItem.subject_id == SUBJECT, WorkItem.status.in_(LIVE_WORK)
    )
    return session.scalars(query).first() is not None


def stopped_at(session: Session) -> datetime | None:
    """Since when (business time) nothing is sent, where a restored database waits to be healed."""
    query = select(WorkItem.seen_at).where(
        WorkItem.kind == RESTORED, WorkItem.subject_id == SUBJECT, WorkItem.status.in_(LIVE_WORK)
    )
    return session.scalars(query).first()


def healed_below(session: Session) -> UUID:
    """Ids below this one were made before the last healing ended, which has dealt with what was lost of them."""
    query = select(func.max(WorkItem.updated_at)).where(
        WorkItem.kind == RESTORED, WorkItem.subject_id == SUBJECT, WorkItem.status.not_in(LIVE_WORK)
    )
    ended = session.scalar(query)
    return lowest_id_at(ended) if ended else UUID(int=0)


def require_all_known(session: Session) -> None:
    """Raise `Refused` (`not_reconciled`) while it is not known what was given back after the copy of this database."""
    if is_restored(session) or not is_same(session):
        mend = "the database may be an older copy that doesn't show all refunds; see `billing check`, then reconcile"
        raise Refused(Fault("database", "not_reconciled", mend))


def require_healed(session: Session, brake: Brake) -> None:
    """Raise `Refused` (`not_reconciled`) while the database waits to be healed and the brake holds it.

    The engine's brakes do, and whatever stops everything: where a person had put that on, the engine has none of its
    own beside it.
    """
    if (brake.actor == ENGINE or brake.seller_id is None) and is_restored(session):
        mend = "the database was restored; `billing reconcile --after-restore` heals it and starts again"
        raise Refused(Fault("brake", "not_reconciled", mend))


def pause(parts: Parts, *, evidence: str, actor: str = ENGINE) -> bool:
    """Stop issuing and charging for everything, and let new series of numbers begin. False where it is paused already.

    `evidence` says what shows that rows were lost; nothing personal.
    """
    with parts.begin() as session:
        if is_restored(session):
            return False
        now = parts.clock.now(session)
        series = succeed_all(session, now=now)
        item = raise_item(
            session,
            kind=RESTORED,
            subject_type="database",
            subject_id=SUBJECT,
            summary="This database is an older copy: nothing is issued or charged until it is reconciled. Documents "
            "that were issued after the copy keep their numbers; new ones stand in new series.",
            error=evidence,
            safe_actions=["park"],
            now=now,
        )
        for kind in BrakeKind:
            apply_brake(
                session,
                kind=kind,
                seller_id=None,
                profile_id=None,
                scope="everything",
                actor=ENGINE,
                reason="the database was restored; `billing reconcile --after-restore` heals it",
                now=now,
            )
        record(
            session,
            actor=actor,
            action="database.restored",
            reason=evidence,
            subject_type="work_item",
            subject_id=item.id,
            before={},
            after={"series": [list(each) for each in series]},
            now=now,
        )
    _log.error("database_restored", series=len(series))
    return True


def recognise(parts: Parts) -> bool:
    """Look whether these rows live where they were pinned; where not, ask the provider. True: go on.

    The question is the newest hundred charges and refunds of each account that a key is set for. An unreachable
    provider leaves it open, and nothing is planned meanwhile; what was restored is paused. The answer is asked for
    once: then the database is pinned anew. After a failover it stays open until no call of the lost server's workers
    can be under way any more.
    """
    with parts.begin() as session:
        if is_same(session):
            return True
        notice_server(session)
        quiet = is_quiet(session, for_s=UNDER_WAY * parts.settings.lease_s)
        accounts = accounts_of(session, parts.settings.provider_accounts)
        now = parts.clock.now(session)
    for account in accounts:
        try:
            provider = parts.provider(account.id, rank=Rank.RESOLVER)
            charges, refunds = provider.newest_charges(now=now), provider.newest_refunds(now=now)
        except (ProviderUnavailable, ProviderRefused) as unknown:
            _log.warning("restored_or_not", reason=type(unknown).__name__)
            return False
        with parts.begin() as session:
            healed = healed_below(session)
            lost = lost_attempts(session, account_id=account.id, named=_named(charges), healed=healed)
            gone = lost_refunds(session, account_id=account.id, named=named_refunds(refunds), healed=healed)
        if lost:
            pause(parts, evidence=f"the provider knows attempt {lost[0]}, this database does not")
        elif gone:
            pause(parts, evidence=f"the provider knows refund {gone[0]}, this database does not")
    if not quiet:
        _log.warning("restored_or_not", reason="failover")
        return False
    with parts.begin() as session:
        pin_anew(session)
    return True


def _named(charges: Sequence[ListedCharge]) -> list[Named]:
    named = []
    for each in charges:
        payment_id = as_uuid(each.metadata_payment)
        kept = each.status != "failed" and each.amount_minor > each.refunded_minor
        if payment_id is not None:
            charge_ref = each.charge_ref if kept else None
            named.append(Named(payment_id, as_uuid(each.metadata_invoice), each.customer_ref, charge_ref))
    return named


def named_refunds(refunds: Sequence[ListedRefund | RefundFacts]) -> list[NamedRefund]:
    """Those that name a refund by an id such as ours."""
    named = []
    for each in refunds:
        refund_id = as_uuid(each.metadata_refund)
        if refund_id is not None:
            moved = each.status not in FAILED_REFUND
            named.append(NamedRefund(refund_id, each.refund_ref, each.charge_ref, moved))
    return named
