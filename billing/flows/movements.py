"""Movements: the provider's balance is read on from where it was read to, and its fees and exchange are booked.

Settlement never waits for this: what a charge brought is booked gross at once, its fee when the provider has taken it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.flows import payouts
from billing.flows.in_turn import each_in_turn, raise_all
from billing.flows.parts import Parts
from billing.flows.windows import Pace, not_before, walk
from billing.kernel.errors import ProviderUnavailable
from billing.kernel.failpoints import failpoint
from billing.models import Payment, ProviderAccount
from billing.providers.port import Provider
from billing.queries.accounts import accounts_of
from billing.queries.payouts import payouts_begun, payouts_to_read
from billing.queries.unlisted_movements import unlisted_since

_log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)
"""Business time between two readings of an account; a payout that is told of reads at once."""
OVERLAP = timedelta(hours=1)
"""What is younger is read, and read again the next time: clocks differ, and a movement may be listed late."""
PACE = Pace(timedelta(days=7), timedelta(minutes=1), timedelta(days=7), few=500, many=2_000)
_BATCH = 500
_HELD_MOST = 10
"""Looked for at each reading, each in the hours in which its key was good."""
_HELD_SLACK = timedelta(minutes=5)


def sweep(parts: Parts, *, budget_s: float = 60.0) -> int:
    """Read and book what is new at each account that is due, and look after payouts. Returns the movements booked.

    An account is read for some `budget_s` wall seconds; the next sweep goes on there. One that can't be read waits for
    the next sweep, and keeps no other from it. Raises in the end what it raised.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        accounts = accounts_of(session, parts.settings.provider_accounts)
    booked, faults = 0, list[Exception]()
    for named in accounts:
        try:
            booked += _look_after(parts, named.id, now, budget_s)
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are read; it is raised below)
            _log.warning("movements_not_read", account=named.label, error=type(error).__name__)
            faults.append(error)
    raise_all(faults, failed="balances of several accounts were not read")
    return booked


def _is_due(parts: Parts, account_id: UUID, now: datetime) -> bool:
    with parts.begin() as session:
        read_to = session.get_one(ProviderAccount, account_id).movements_read_to
        since = read_to or _first_attempt(session, account_id)
    if since is None or read_to is None:
        return since is not None and now - since >= EVERY
    young = _young(parts.provider(account_id))
    if now - read_to < young:
        # A worker of a release before 0072 wrote when it read, and would read what was young then again.
        with parts.begin() as session:
            account = session.get_one(ProviderAccount, account_id, with_for_update=True)
            if account.movements_read_to == read_to:
                account.movements_read_to = read_to - young
        return False
    return now - read_to >= EVERY + young


def _young(provider: Provider) -> timedelta:
    """So long after a movement a list may not show it yet."""
    return OVERLAP + timedelta(seconds=provider.lists_late_s)


def _look_after(parts: Parts, account_id: UUID, now: datetime, budget_s: float) -> int:
    ends, booked = time.monotonic() + budget_s, 0
    with parts.begin() as session:
        # A list that was begun is gone on with at once.
        refs = payouts_begun(session, account_id=account_id)
    if _is_due(parts, account_id, now):
        booked, whole = read(parts, account_id, budget_s=budget_s)
        if not whole:
            # What a payout holds must be in our rows before it is listed.
            return booked
        with parts.begin() as session:
            refs = payouts_to_read(session, account_id=account_id, now=now)
    turns = (partial(payouts.settle_payout, parts, account_id, ref, budget_s=ends - time.monotonic()) for ref in refs)
    each_in_turn(turns, failed="some payouts could not be read")
    return booked


def read(parts: Parts, account_id: UUID, *, budget_s: float | None = None) -> tuple[int, bool]:
    """Read the account's movements until now, and book all that wait. Idempotent; a page is a transaction.

    The oldest first, a window at a time, each booked before it is noted: who is interrupted goes on there. Returns how
    many were booked, and whether that was all: not where `budget_s` wall seconds were over before. What is young is
    read to its end, for it is read again each time, and would never be whole.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        start = session.get_one(ProviderAccount, account_id).movements_read_to
        # A payout may be told of before the first sweep has seen the account.
        start = start or (_first_attempt(session, account_id) or now) - OVERLAP
    provider, booked = parts.provider(account_id), 0
    start = not_before(start, now=now, back_s=provider.lists_back_s)
    sure = now - _young(provider)
    if not provider.lists_reach(sure):
        # Read on from here, what comes into it later would be booked never.
        raise ProviderUnavailable(f"{provider.name}: its list of movements is later than it promises")

    def take(reached: datetime, until: datetime) -> Iterator[int]:
        for page in provider.movement_pages(created_from=reached, created_to=until):
            with parts.begin() as session:
                keep_movements(session, account_id=account_id, listed=page)
            yield len(page)

    def whole(_reached: datetime, until: datetime) -> None:
        nonlocal booked
        failpoint("movements.kept")
        # Before it is noted: an account that was read is left alone for an hour, whatever waits there.
        booked += _book_waiting(parts, account_id, now)
        _note_read(parts, account_id, min(until, sure))
        failpoint("movements.step")

    # What moved in this very second counts too.
    end = now + timedelta(seconds=1)
    reached = walk(start, end, pace=PACE, take=take, whole=whole, budget_s=budget_s, hurries_to=sure)
    if reached >= end:
        booked += _read_held(parts, account_id, provider, now)
    return booked, reached >= end


def _read_held(parts: Parts, account_id: UUID, provider: Provider, now: datetime) -> int:
    """What was held for days stands in a report at the time at which it was begun, which was read long before."""
    if not provider.lists_late_s:
        return 0
    with parts.begin() as session:
        begun = unlisted_since(session, account_id=account_id, now=now, most=_HELD_MOST)
    for start, end in _spans(begun, timedelta(seconds=provider.key_life_s)):
        for page in provider.movement_pages(created_from=start, created_to=end):
            with parts.begin() as session:
                keep_movements(session, account_id=account_id, listed=page)
    return _book_waiting(parts, account_id, now) if begun else 0


def _spans(begun: list[datetime], good: timedelta) -> list[tuple[datetime, datetime]]:
    """When their keys were good, in one where several were at a time: what an outage held was begun within hours."""
    spans = list[tuple[datetime, datetime]]()
    for at in sorted(begun):
        start, end = at - _HELD_SLACK, at + good + _HELD_SLACK
        if spans and start <= spans[-1][1]:
            start, _ = spans.pop()
        spans.append((start, end))
    return spans


def _book_waiting(parts: Parts, account_id: UUID, now: datetime) -> int:
    booked, after = 0, UUID(int=0)
    while True:
        with parts.begin() as session:
            count, last = book_movements(session, account_id=account_id, now=now, most=_BATCH, after=after)
        booked += count
        if last is None:
            return booked
        after = last


def _note_read(parts: Parts, account_id: UUID, until: datetime) -> None:
    """The balance was read until then, or further by another worker."""
    with parts.begin() as session:
        account = session.get_one(ProviderAccount, account_id, with_for_update=True)
        account.movements_read_to = max(account.movements_read_to or until, until)


def _first_attempt(session: Session, account_id: UUID) -> datetime | None:
    """Nothing of ours moved before it."""
    return session.scalar(select(func.min(Payment.opened_at)).where(Payment.provider_account_id == account_id))
