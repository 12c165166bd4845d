"""Backfill: what the provider's list of events has and no delivery brought is taken in as if it had been delivered.

The list is read in windows of business time, the oldest first; where an account was read to is stored after each one.
A page is in memory at a time, and a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from billing.flows.handlers import BY_TYPE
from billing.flows.in_turn import raise_all
from billing.flows.parts import Parts
from billing.flows.receiving import keep
from billing.flows.windows import Pace, passed, walk
from billing.kernel.errors import PROVIDER_ERRORS, ProviderUnreadable
from billing.models import ProviderAccount
from billing.providers.events import ListedEvent
from billing.queries.accounts import Named, accounts_of
from billing.queries.receiving import receiving
from billing.queue.buffer import after_commit
from billing.queue.names import INBOX_PROCESS
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
"""So far back the provider lists events; what is older shows in the objects, which reconciliation compares."""
EVERY = timedelta(hours=1)
"""Business time between two readings of an account's list."""
OVERLAP = timedelta(hours=1)
"""What is younger is read, and read again the next time: an event may be listed late, and clocks differ."""
PACE = Pace(timedelta(minutes=10), timedelta(minutes=1), timedelta(days=1), few=1_000, many=10_000)


@dataclass(frozen=True, slots=True)
class Filled:
    """What the reading of one account's list brought: events of types that have a handler, and how many were new."""

    account: str
    from_at: datetime
    to_at: datetime
    listed: int
    new: int


def sweep(parts: Parts, *, budget_s: float = 20.0) -> int:
    """Read on at each account that is due, a window or for so many wall seconds. Returns how many events were new.

    An account begins where it is first seen: what came before is for `billing events backfill`.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        due = []
        for named in accounts_of(session, parts.settings.provider_accounts):
            account = session.get_one(ProviderAccount, named.id)
            if account.events_read_to is None:
                account.events_read_to = now
            elif now - account.events_read_to >= EVERY + OVERLAP:
                due.append(named)
    new, faults = 0, list[Exception]()
    for named in due:
        try:
            new += _fill(parts, named, since=None, budget_s=budget_s).new
        except PROVIDER_ERRORS as later:
            # The next tick goes on where this one stood; other accounts are none the worse.
            _log.warning("events_not_listed", account=named.label, error=type(later).__name__)
            if isinstance(later, ProviderUnreadable):
                # It may go on until a person looks, who is told by a tick that is never done.
                faults.append(later)
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are read on; it is raised below)
            _log.warning("events_not_read", account=named.label, error=type(error).__name__)
            faults.append(error)
    raise_all(faults, failed="events of several accounts were not read")
    return new


def backfill(parts: Parts, *, since: datetime | None = None) -> list[Filled]:
    """Read every account's list from `since` (default: where it was read to, or all of it) until now, to the end.

    Idempotent; raises `Refused` (`in_the_future`) and what the provider raises: repeated without `since`, it goes on
    where it stood.
    """
    with parts.begin() as session:
        passed(since, now=parts.clock.now(session))
        accounts = accounts_of(session, parts.settings.provider_accounts)
    return [_fill(parts, named, since=since) for named in accounts]


def _fill(parts: Parts, named: Named, *, since: datetime | None, budget_s: float | None = None) -> Filled:
    account_id, code = named.id, named.label
    with parts.begin() as session:
        now = parts.clock.now(session)
        known = session.get_one(ProviderAccount, account_id).events_read_to
    oldest = now - KEPT
    from_at = max(since or known or oldest, oldest)
    if since is None and known is not None and known < oldest:
        _log.warning("events_no_longer_listed", account=code, read_to=known.isoformat(), listed_from=oldest.isoformat())
        _move(parts, account_id, reached=known, until=oldest)
    listed, new = 0, 0

    def take(reached: datetime, until: datetime) -> Iterator[int]:
        nonlocal listed, new
        for page in parts.provider(account_id, rank=Rank.RECONCILE).event_pages(created_from=reached, created_to=until):
            told, fresh = _take(parts, named, page)
            listed, new = listed + told, new + fresh
            yield len(page)

    def whole(reached: datetime, until: datetime) -> None:
        _move(parts, account_id, reached=reached, until=min(until, now - OVERLAP))

    # What was created in this very second counts too.
    reached = walk(from_at, now + timedelta(seconds=1), pace=PACE, take=take, whole=whole, budget_s=budget_s)
    return Filled(code, from_at, min(reached, now), listed, new)


def _take(parts: Parts, named: Named, page: Sequence[ListedEvent]) -> tuple[int, int]:
    """Store those of the page that somebody here looks after: their number, and how many were new."""
    told = [(each.facts, each.raw) for each in page if each.facts.type in BY_TYPE]
    if not told:
        return 0, 0
    with parts.begin() as session:
        stored = keep(parts, session, receiving(session, provider=named.provider, code=named.code), events=told)
        new = [each for each in stored if isinstance(each, UUID)]
        if new:
            after_commit(session, INBOX_PROCESS, *new)
    if new:
        _log.info("events_backfilled", account=named.label, new=len(new))
    return len(told), len(new)


def _move(parts: Parts, account_id: UUID, *, reached: datetime, until: datetime) -> None:
    """Note where the list was read to: only forward, and only where what was read joins on to what was."""
    with parts.begin() as session:
        account = session.get_one(ProviderAccount, account_id, with_for_update=True)
        if account.events_read_to is None or reached <= account.events_read_to < until:
            account.events_read_to = until
