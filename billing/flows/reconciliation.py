"""Reconciliation: our attempts, refunds and disputes beside the provider's, and its movements, both ways.

Window by window: the provider's lists are read a page at a time into temporary tables, compared set-wise, and what
differs becomes work; a dispute that no event told us of is taken over at once. A run is a row that says how far it
came, so one that was killed goes on there. What agrees costs no write; a page is the most that is held in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from billing.commands.reconciliation.run import begin_run, move_run, release_run, take_run
from billing.flows.comparing import Window
from billing.flows.in_turn import raise_all
from billing.flows.parts import Parts
from billing.flows.windows import Pace, not_before, passed, walk
from billing.kernel.errors import Stale
from billing.models import Reconciliation
from billing.queries import reconciling
from billing.queries.accounts import accounts_of
from billing.queries.operations.reconciliation import compared_until, earliest_attempt, last_run

_log = structlog.get_logger(__name__)

DAILY = timedelta(hours=24)
OVERLAP = timedelta(hours=48)
"""A daily run looks back so far before the end of the last: charges change, and fees come later."""
PACE = Pace(timedelta(minutes=10), timedelta(minutes=5), timedelta(days=7), few=500, many=10_000)
"""As narrow as the slack on either side of a window: narrower ones would read the same again and again."""


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

    Goes on with an unfinished run first. Raises `Refused` (`in_the_future`), `Stale` where another worker is at it, and
    what the provider raises: the run then waits where it stands.
    """
    with parts.begin() as session:
        passed(since, now=parts.clock.now(session))
    done = []
    for account_id, code in _accounts(parts):
        _advance(parts, account_id)
        with parts.begin() as session:
            now = parts.clock.now(session)
            from_at = _listed(parts, session, account_id, since or _next_from(session, account_id, now))
            run_id = begin_run(session, account_id=account_id, cause=cause, from_at=min(from_at, now), to_at=_end(now))
        _advance(parts, account_id)
        done.append(_told(parts, run_id, code))
    return done


def tick(parts: Parts, *, budget_s: float = 20.0) -> int:
    """Go on with what is unfinished, or begin the day's run, for at most so many wall seconds. Returns the runs moved.

    While a restored database is being healed, its runs are the healing's own. An account that can't be read keeps no
    other from it; what it raised is raised in the end.
    """
    moved, faults = 0, list[Exception]()
    for account_id, code in _accounts(parts):
        try:
            if not _begun(parts, account_id):
                continue
            _advance(parts, account_id, budget_s=budget_s)
        except Stale:
            continue
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are compared; it is raised below)
            _log.warning("account_not_reconciled", account=code, error=type(error).__name__)
            faults.append(error)
            continue
        moved += 1
    raise_all(faults, failed="several accounts were not compared")
    return moved


def _begun(parts: Parts, account_id: UUID) -> bool:
    """Whether there is a run to go on with: an unfinished one, or the day's. Raises `Stale` where two begin at once."""
    with parts.begin() as session:
        now = parts.clock.now(session)
        last = last_run(session, account_id)
        if last is not None and last.status != "done":
            return True
        from_at = _listed(parts, session, account_id, _next_from(session, account_id, now))
        if now - (last.to_at if last else from_at) < DAILY:
            return False
        begin_run(session, account_id=account_id, cause="daily", from_at=from_at, to_at=_end(now))
        return True


def recheck(parts: Parts, account_id: UUID, *, at: datetime) -> None:
    """Compare what the provider created in this second anew: differences that are gone are resolved.

    One of before the provider's lists begin stands.
    """
    _advance(parts, account_id)
    with parts.begin() as session:
        if _listed(parts, session, account_id, at) > at:
            return
        begin_run(session, account_id=account_id, cause="ordered", from_at=at, to_at=_end(at))
    _advance(parts, account_id)


def _accounts(parts: Parts) -> list[tuple[UUID, str]]:
    with parts.begin() as session:
        return [(each.id, each.label) for each in accounts_of(session, parts.settings.provider_accounts)]


def _end(now: datetime) -> datetime:
    """What was created in this very second counts too."""
    return now + timedelta(seconds=1)


def _listed(parts: Parts, session: Session, account_id: UUID, at: datetime) -> datetime:
    """That moment, or where the provider's lists begin: asked for more they refuse, and the run would never end."""
    back_s = parts.provider(account_id, session=session).lists_back_s
    return not_before(at, now=parts.clock.now(session), back_s=back_s)


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
        if run is not None:
            # It may have waited for so long that the lists begin later by now.
            run.reached_at = min(_listed(parts, session, account_id, run.reached_at), run.to_at)
            if run.reached_at == run.to_at:
                move_run(session, run, reached_at=run.to_at, counts={})
                return
    if run is None:
        raise Stale("another worker reconciles this account; ask again when it is done")
    provider = parts.provider(account_id)
    # One connection throughout: the temporary tables are its own. It is in no transaction while the provider is asked.
    with parts.sessions.kw["bind"].connect() as connection, Session(bind=connection) as session:
        reconciling.open_lists(session)
        session.commit()
        try:
            window = Window(parts, provider, session, run)
            walk(run.reached_at, run.to_at, pace=PACE, take=window.take, whole=window.whole, budget_s=budget_s)
        finally:
            session.rollback()
            reconciling.drop_lists(session)
            session.commit()
            with parts.begin() as ending:
                release_run(ending, run)
