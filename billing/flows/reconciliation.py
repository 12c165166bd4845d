"""Reconciliation: our attempts, refunds and disputes beside the provider's, and its movements, both ways.

Window by window: the provider's lists are read a page at a time into temporary tables, compared set-wise, and what
differs becomes work; a dispute that no event told us of is taken over at once. A run is a row that says how far it
came, so one that was killed goes on there. What agrees costs no write; a page is the most that is held in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.difference.note import note_difference
from billing.commands.difference.resolve import resolve_difference
from billing.commands.reconciliation.run import Run, begin_run, move_run, release_run, take_run
from billing.flows import restoring
from billing.flows.dispute_events import adopt_dispute
from billing.flows.parts import Parts
from billing.flows.refund_events import reread_refund
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.ids import lowest_id_at
from billing.models import Reconciliation
from billing.providers.listed import ListedDispute
from billing.providers.port import Provider
from billing.queries import reconciling
from billing.queries.accounts import accounts_of
from billing.queries.differences import noted, unclaimed, undiscarded
from billing.queries.operations.reconciliation import compared_until, earliest_attempt, last_run
from billing.queries.reconciling import Found
from billing.queries.reconciling_disputes import disputes_to_read, show_dispute
from billing.queries.reconciling_refunds import refunds_to_read

_log = structlog.get_logger(__name__)

DAILY = timedelta(hours=24)
OVERLAP = timedelta(hours=48)
"""A daily run looks back so far before the end of the last: charges change, and fees come later."""
FEE_DUE = timedelta(hours=24)
"""A charge's balance transaction is a difference only after this."""
SLACK = timedelta(minutes=5)
"""The provider's lists are read so much wider than the window, for clocks and calls that straddle its ends."""
NARROW, WIDE = timedelta(minutes=1), timedelta(days=7)
FEW, MANY = 500, 20_000
"""A window with fewer objects is followed by one of twice its width, one with more by one of half."""
NOTED_AT_ONCE = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a run compared, and what it found; `open` are all differences of the account that stand now."""

    account: str
    from_at: datetime
    to_at: datetime
    charges: int
    refunds: int
    disputes: int
    movements: int
    differences: int
    done: bool


def reconcile(parts: Parts, *, since: datetime | None = None, cause: str = "ordered") -> list[Reconciled]:
    """Compare every account from `since` (by default as a daily run does) until now, to the end.

    Goes on with an unfinished run first. Raises `Stale` where another worker is at it, and what the provider raises:
    the run then waits where it stands.
    """
    done = []
    for account_id, code in _accounts(parts):
        _advance(parts, account_id)
        with parts.begin() as session:
            now = parts.clock.now(session)
            from_at = since or _next_from(session, account_id, now)
            run_id = begin_run(session, account_id=account_id, cause=cause, from_at=min(from_at, now), to_at=_end(now))
        _advance(parts, account_id)
        done.append(_told(parts, run_id, code))
    return done


def tick(parts: Parts, *, budget_s: float = 20.0) -> int:
    """Go on with what is unfinished, or begin the day's run, for at most so many wall seconds. Returns the runs moved.

    While a restored database is being healed, its runs are the healing's own. An account that can't be read keeps no
    other from it; what it raised is raised in the end.
    """
    moved, failed = 0, None
    for account_id, code in _accounts(parts):
        try:
            if not _begun(parts, account_id):
                continue
            _advance(parts, account_id, budget_s=budget_s)
        except Stale:
            continue
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are compared; it is raised below)
            _log.warning("account_not_reconciled", account=code, error=type(error).__name__)
            failed = failed or error
            continue
        moved += 1
    if failed:
        raise failed
    return moved


def _begun(parts: Parts, account_id: UUID) -> bool:
    """Whether there is a run to go on with: an unfinished one, or the day's. Raises `Stale` where two begin at once."""
    with parts.begin() as session:
        now = parts.clock.now(session)
        last = last_run(session, account_id)
        if last is not None and last.status != "done":
            return True
        from_at = _next_from(session, account_id, now)
        if now - (last.to_at if last else from_at) < DAILY:
            return False
        begin_run(session, account_id=account_id, cause="daily", from_at=from_at, to_at=_end(now))
        return True


def recheck(parts: Parts, account_id: UUID, *, at: datetime) -> None:
    """Compare what the provider created in this second anew: differences that are gone are resolved."""
    _advance(parts, account_id)
    with parts.begin() as session:
        begin_run(session, account_id=account_id, cause="ordered", from_at=at, to_at=_end(at))
    _advance(parts, account_id)


def stands(provider: Provider, found: Found) -> bool:
    """Whether the provider has it after all: a succeeded charge of the intent, the refund, or the dispute."""
    try:
        if found.kind == "refund_missing":
            return provider.read_refund(found.object_ref).status == "succeeded"
        if found.kind == "dispute_missing":
            return provider.read_dispute(found.object_ref).dispute_ref == found.object_ref
        charges = provider.list_charges(intent_ref=found.intent_ref) if found.intent_ref else iter(())
        return any(each.charge_ref == found.object_ref and each.status == "succeeded" for each in charges)
    except ProviderRefused:
        return False


def _accounts(parts: Parts) -> list[tuple[UUID, str]]:
    with parts.begin() as session:
        return [(each.id, each.label) for each in accounts_of(session, parts.settings.provider_accounts)]


def _end(now: datetime) -> datetime:
    """What was created in this very second counts too."""
    return now + timedelta(seconds=1)


def _next_from(session: Session, account_id: UUID, now: datetime) -> datetime:
    if (compared := compared_until(session, account_id)) is not None:
        return compared - OVERLAP
    return min(earliest_attempt(session, account_id) or now, now)


def _told(parts: Parts, run_id: UUID, code: str) -> Reconciled:
    with parts.begin() as session:
        run = session.get_one(Reconciliation, run_id)
        return Reconciled(
            account=code,
            from_at=run.from_at,
            to_at=run.to_at,
            charges=run.charges,
            refunds=run.refunds,
            disputes=run.disputes,
            movements=run.movements,
            differences=run.differences,
            done=run.status == "done",
        )


def _advance(parts: Parts, account_id: UUID, *, budget_s: float | None = None) -> None:
    """Move the account's unfinished run on, if there is one. Raises `Stale` where it is in other hands."""
    with parts.begin() as session:
        last = last_run(session, account_id)
        if last is None or last.status == "done":
            return
        run = take_run(session, account_id=account_id, lease_s=max(parts.settings.lease_s, 3.0))
    if run is None:
        raise Stale("another worker reconciles this account; ask again when it is done")
    began, width = time.monotonic(), timedelta(hours=1)
    provider = parts.provider(account_id)
    # One connection throughout: the temporary tables are its own. It is in no transaction while the provider is asked.
    with parts.sessions.kw["bind"].connect() as connection, Session(bind=connection) as session:
        reconciling.open_lists(session)
        session.commit()
        try:
            while run.reached_at < run.to_at:
                if budget_s is not None and time.monotonic() - began > budget_s:
                    break
                until = min(run.reached_at + width, run.to_at)
                seen = _window(parts, provider, session, run, until)
                width = max(NARROW, width / 2) if seen > MANY else min(WIDE, width * 2) if seen < FEW else width
        finally:
            session.rollback()
            reconciling.drop_lists(session)
            session.commit()
            with parts.begin() as ending:
                release_run(ending, run)


def _window(parts: Parts, provider: Provider, session: Session, run: Run, until: datetime) -> int:
    """Compare what was created in [reached, until). Returns how many objects the provider showed."""
    low, high = run.reached_at - SLACK, until + SLACK
    reconciling.empty_lists(session)
    session.commit()

    def stream(pages: Iterator[list[T]], load: Callable[[Session, Sequence[T]], None] | None) -> int:
        count = 0
        for page in pages:
            count += len(page)
            if load is not None and page:
                load(session, page)
                session.commit()
            with parts.begin() as living:
                move_run(living, run, reached_at=run.reached_at, counts={})
            failpoint("reconcile.page")
        return count

    counts = {
        "charges": stream(provider.charge_pages(created_from=low, created_to=high), reconciling.load_charges),
        "refunds": stream(provider.refund_pages(created_from=low, created_to=high), reconciling.load_refunds),
        "disputes": stream(_dispute_pages(parts, provider, low, high), reconciling.load_disputes),
        "movements": stream(provider.movement_pages(created_from=low, created_to=high), reconciling.load_movements),
    }
    _adopt_disputes(parts, session, run)
    _reread_refunds(parts, session, run)
    differences = _compare(parts, provider, session, run, until)
    with parts.begin() as moving:
        move_run(moving, run, reached_at=until, counts=counts | {"differences": differences})
    failpoint("reconcile.window")
    return sum(counts.values())


def _dispute_pages(parts: Parts, provider: Provider, low: datetime, high: datetime) -> Iterator[list[ListedDispute]]:
    """What the provider still lists of them; those that are open for longer are asked for one by one."""
    with parts.begin() as session:
        now = parts.clock.now(session)
    if low.timestamp() < (oldest := now.timestamp() - provider.disputes_back_s):
        low = datetime.fromtimestamp(oldest, UTC)
    return provider.dispute_pages(created_from=low, created_to=high) if low < high else iter(())


def _adopt_disputes(parts: Parts, session: Session, run: Run) -> None:
    """Take over what we don't have so. The day's run also asks of those that are open for longer than it looks back."""
    daily = run.cause == "daily" and run.reached_at == run.from_at
    refs = disputes_to_read(session, account_id=run.provider_account_id, opened_before=run.from_at if daily else None)
    session.commit()
    for ref in refs:
        try:
            facts = adopt_dispute(parts, run.provider_account_id, ref)
        except (ProviderUnavailable, ProviderUncertain, Stale, OperationalError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are compared; this one is a difference)
            _log.warning("dispute_not_adopted", dispute=ref, error=type(error).__name__)
            continue
        show_dispute(session, facts)
        session.commit()
        with parts.begin() as living:
            move_run(living, run, reached_at=run.reached_at, counts={})


def _reread_refunds(parts: Parts, session: Session, run: Run) -> None:
    """What came back to the balance is read, however old the refund is: an event of it may never have been made."""
    refs = refunds_to_read(session, account_id=run.provider_account_id)
    session.commit()
    for ref in refs:
        try:
            reread_refund(parts, run.provider_account_id, ref)
        except ProviderRefused as refused:
            _log.warning("refund_not_reread", refund=ref, error=refused.code)
        with parts.begin() as living:
            move_run(living, run, reached_at=run.reached_at, counts={})


def _compare(parts: Parts, provider: Provider, session: Session, run: Run, until: datetime) -> int:
    with parts.begin() as reading:
        now = parts.clock.now(reading)
    known = reconciling.known_in_sight(session, account_id=run.provider_account_id)
    count, batch = 0, []
    for found in _found(parts, provider, session, run, Span(run.reached_at, until, now)):
        known.pop((found.kind, found.object_ref), None)
        batch.append(found)
        count += 1
        if len(batch) == NOTED_AT_ONCE:
            _note(parts, run, batch)
            batch = []
    _note(parts, run, batch)
    session.rollback()
    for difference_id in known.values():
        with parts.begin() as closing:
            resolve_difference(closing, difference_id=difference_id, now=parts.clock.now(closing))
    return count


@dataclass(frozen=True, slots=True)
class Span:
    """A window [start, end), and now."""

    start: datetime
    end: datetime
    now: datetime


def _found(parts: Parts, provider: Provider, session: Session, run: Run, span: Span) -> Iterator[Found]:
    account_id, ids = run.provider_account_id, _ids(parts, span.start, span.end)
    yield from reconciling.differences(session, account_id=account_id, fee_before=span.now - FEE_DUE)
    missing = list(reconciling.not_listed(session, account_id=account_id, from_at=span.start, to_at=span.end, ids=ids))
    session.rollback()
    yield from (each for each in missing if not stands(provider, each))


def _ids(parts: Parts, from_at: datetime, to_at: datetime) -> tuple[UUID, UUID]:
    """Bounds of ids made in the window: they carry wall time, which in the sandbox is not business time."""
    if parts.settings.billing_sandbox:
        return UUID(int=0), UUID(int=2**128 - 1)
    return lowest_id_at(from_at - SLACK), lowest_id_at(to_at + SLACK)


def _note(parts: Parts, run: Run, batch: Sequence[Found]) -> None:
    if not batch:
        return
    lost = [found for found in batch if found.lost]
    if lost:
        with parts.begin() as session:
            known = noted(session, run.provider_account_id, [found.object_ref for found in lost])
        # What was noted before has been dealt with by a healing, as far as it could be.
        news = [found for found in lost if found.object_ref not in known]
        if news:
            restoring.pause(parts, evidence=news[0].detail)
    with parts.begin() as session:
        now = parts.clock.now(session)
        batch = unclaimed(session, run.provider_account_id, batch)
        batch = undiscarded(session, run.provider_account_id, batch)
        for found in sorted(batch, key=lambda each: each.object_ref):
            note_difference(session, found, provider_account_id=run.provider_account_id, now=now)
    if batch:
        _log.warning("differences_noted", count=len(batch))
