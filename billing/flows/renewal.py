"""Renewal: find who is due, cut slices, and bill each slice in one transaction; a bad subscription ends up alone."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from billing.commands.invoice.issue import Issued
from billing.commands.slice.claim import ClaimedSlice, claim, end, hold_token
from billing.commands.slice.cut import cut
from billing.commands.subscription.advance import advance, cut_periods, record_periods
from billing.commands.subscription.planned import BillingPlan
from billing.commands.subscription.renew import plan as plan_renewal
from billing.commands.subscription.renew import usage_windows, walk_all
from billing.commands.subscription.waiting import take_waiting, write_waiting
from billing.commands.work_item.raise_item import raise_item
from billing.flows.guarding import count_issued, guard, guard_the_day
from billing.flows.issuing import issue_documents, open_parties
from billing.flows.parts import Parts
from billing.flows.restoring import recognise
from billing.flows.slices import STARTS_ALONE, give_back
from billing.kernel.errors import MasterKeyMissing, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import SliceStatus
from billing.kernel.work import WorkKind
from billing.models import Profile, Subscription
from billing.privacy.redaction import redact_error
from billing.queries.due import profiles_to_renew
from billing.queries.standing import load_standing
from billing.queries.usage import usage_quantities

_log = structlog.get_logger(__name__)


def plan(parts: Parts) -> int:
    """Cut what is due into slices and nudge a worker for each. Returns the number of profiles.

    Two planners at once do not cut the same profiles: the second finds the lock taken and leaves.
    """
    if not recognise(parts):
        return 0
    with parts.begin() as session:
        if not session.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('billing.renewals.plan'))")):
            return 0
        guard_the_day(session, now=parts.clock.now(session))
        profiles = profiles_to_renew(session, now=parts.clock.now(session), most=parts.settings.billing_plan_limit)
        if not profiles:
            return 0
        cut(session, kind="renewals", members=profiles, size=parts.settings.billing_slice_size)
        failpoint("renewals.planned")
    return len(profiles)


def bill(parts: Parts, slice_id: UUID) -> int:
    """Bill one slice. Returns the number of documents; 0 where the slice is done or in other hands.

    May run twice, or die at any line: the slice ends in the transaction that bills, and a period exists once.
    """
    with parts.begin() as session:
        claimed = claim(session, slice_id=slice_id, lease_s=parts.settings.lease_s)
    if claimed is None:
        return 0
    failpoint("renewals.claimed")
    if (claimed.tries > 1 or claimed.given_back) and _divisible(parts, claimed):
        # An earlier start did not end. Whatever killed it is in one of the halves, and a half is done in less time.
        _halve(parts, claimed, error="an earlier start did not end")
        return 0
    if claimed.tries > STARTS_ALONE:
        _set_apart(parts, claimed, error="its worker died each time", trace=None)
        return 0
    try:
        with parts.begin() as session:
            hold_token(session, claimed)
            issued = bill_profiles(parts, session, profiles=claimed.member_ids, only=claimed.subscription_ids)
            end(session, claimed, status=SliceStatus.DONE)
            failpoint("renewals.commit")
        failpoint("renewals.billed")
    except (Stale, MasterKeyMissing) as late:
        # A worker that has the master key, or this one once it was started anew, bills it.
        _log.warning("slice_put_off", slice=str(claimed.id), reason=str(late))
        give_back(parts, claimed, error=str(late))
        return 0
    except Exception as error:
        if _is_infrastructure(error):
            give_back(parts, claimed, error=type(error).__name__)
            raise
        _divide(parts, claimed, error)
        return 0
    return len(issued)


def bill_profiles(
    parts: Parts, session: Session, *, profiles: Sequence[UUID], only: Sequence[UUID] | None = None
) -> list[Issued]:
    """Bill what is due of these profiles within the caller's transaction, and hand the charges on after commit.

    Whose issuing is stopped stays due, and is billed once it is started again.
    """
    now = parts.clock.now(session)
    standing = load_standing(session, profiles=profiles, only=only, due=now)
    walked = walk_all(standing, now=now)
    usage = usage_quantities(session, usage_windows(standing, walked))
    parties = open_parties(parts, standing)
    made = plan_renewal(standing, walked, usage=usage, parties=parties, now=now)
    guarded = guard(session, standing, walked, made.documents, now=now)
    if guarded:
        # What is held takes no credit, so all of it is planned anew.
        made = plan_renewal(replace(standing, guarded=guarded), walked, usage=usage, parties=parties, now=now)
    failpoint("renewals.planned_slice")
    issued = write_plan(parts, session, made, now=now)
    count_issued(session, standing.sellers, made.documents, now=now)
    return issued


def write_plan(parts: Parts, session: Session, made: BillingPlan, *, now: datetime) -> list[Issued]:
    """Write what was planned: periods, waiting lines, rows, documents; numbers last."""
    record_periods(session, made.periods)
    cut_periods(session, made.cuts)
    advance(session, made.advances, now=now)
    taken = set(made.taken)
    write_waiting(session, [each for each in made.waits if each[2].id not in taken])
    take_waiting(session, made.taken)
    issued = issue_documents(parts, session, made.documents, wallet=made.wallet, now=now, may_wait=True)
    failpoint("renewals.numbered")
    return issued


def _is_infrastructure(error: Exception) -> bool:
    """Faults of the database or the line, not of the data: the slice is given back whole, nothing is held for them."""
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _divide(parts: Parts, claimed: ClaimedSlice, error: Exception) -> None:
    _log.warning("slice_failed", slice=str(claimed.id), members=len(claimed.member_ids), error=type(error).__name__)
    if _divisible(parts, claimed):
        _halve(parts, claimed, error=redact_error(error))
    else:
        _set_apart(
            parts, claimed, error=redact_error(error), trace="".join(traceback.format_tb(error.__traceback__))[-4000:]
        )


def _divisible(parts: Parts, claimed: ClaimedSlice) -> bool:
    return len(claimed.member_ids) > 1 or len(_subscriptions(parts, claimed)) > 1


def _subscriptions(parts: Parts, claimed: ClaimedSlice) -> list[UUID]:
    if claimed.subscription_ids is not None:
        return claimed.subscription_ids
    with parts.begin() as session:
        now = parts.clock.now(session)
        return list(
            session.scalars(
                select(Subscription.id)
                .where(
                    Subscription.profile_id.in_(claimed.member_ids),
                    Subscription.next_due_at <= now,
                    Subscription.hold_id.is_(None),
                )
                .order_by(Subscription.code)
            )
        )


def _halve(parts: Parts, claimed: ClaimedSlice, *, error: str) -> None:
    members, only = claimed.member_ids, None
    if len(members) == 1:
        only = _subscriptions(parts, claimed)
    with parts.begin() as session:
        end(session, claimed, status=SliceStatus.SPLIT, error=error)
        whole = members if only is None else only
        middle = len(whole) // 2
        for half in (whole[:middle], whole[middle:]):
            cut(
                session,
                kind="renewals",
                members=half if only is None else members,
                subscriptions=None if only is None else half,
                size=len(members),
                parent=claimed.id,
            )
        failpoint("renewals.halved")


def _set_apart(parts: Parts, claimed: ClaimedSlice, *, error: str, trace: str | None) -> None:
    """The one bad subscription gets a hold that names its work item; sweeps skip it until a person lifts it."""
    due = _subscriptions(parts, claimed)
    with parts.begin() as session:
        now = parts.clock.now(session)
        end(session, claimed, status=SliceStatus.DONE, error=error)
        # The subject first, then its work item, as everywhere: an operator's retry takes both too.
        # One that somebody has billed meanwhile, as by a change of it, is due no more.
        still = (Subscription.id.in_(due), Subscription.next_due_at <= now, Subscription.hold_id.is_(None))
        held = select(Subscription).where(*still).order_by(Subscription.profile_id, Subscription.code)
        for subscription in session.scalars(held.with_for_update(key_share=True)):
            hold(session, subscription, error=error, trace=trace, now=now)


def hold(session: Session, subscription: Subscription, *, error: str, trace: str | None, now: datetime) -> None:
    """Stop billing one subscription until a person has looked; everything else goes on."""
    profile = session.get_one(Profile, subscription.profile_id)
    item = raise_item(
        session,
        kind=WorkKind.SUBSCRIPTION_NOT_BILLED,
        subject_type="subscription",
        subject_id=subscription.id,
        seller_id=subscription.seller_id,
        profile_id=profile.id,
        summary=f"Subscription {subscription.code} could not be billed and is on hold; all others were billed.",
        error=error,
        trace=trace,
        safe_actions=["retry", "park"],
        now=now,
    )
    session.execute(
        update(Subscription)
        .where(Subscription.id == subscription.id)
        .values(hold_id=item.id, version=Subscription.version + 1)
    )
