"""Permits: this process's share of the calls that an account may make, taken in blocks from the bucket of all."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.commands.provider_rate.report import Pauses, Told, report
from billing.commands.provider_rate.rows import Limits
from billing.commands.provider_rate.take import Denied, take_permits
from billing.kernel.errors import NoPermit, Reach
from billing.rules.rate import Rank
from billing.settings import Settings

_log = structlog.get_logger(__name__)

KEPT_S = 0.01
"""Who asks for one permit takes as many as this time brings, for the next who asks."""
_STALE_S = 0.5
"""A permit kept for longer is lost: its place among the others' calls is gone."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call, from a moment of `time.monotonic()` on."""

    endpoint: str
    at: float
    probe: bool = False
    watched: bool = False
    """The line was not well lately: a good answer is news."""

    def wait(self) -> None:
        """Until its moment, which is near."""
        left_s = self.at - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)


_Key = tuple[str, Rank]


@dataclass(slots=True)
class Permits:
    """Of one provider account. For many threads, within one process."""

    account_id: UUID
    names: tuple[str, str]
    """Provider and account code."""
    limits: Limits
    settings: Settings
    begin: Callable[[], AbstractContextManager[Session]]
    _lock: Lock = field(default_factory=Lock)
    _asking: Counter[_Key] = field(default_factory=Counter)
    _kept: dict[_Key, deque[Permit]] = field(default_factory=lambda: defaultdict(deque))
    _turns: dict[_Key, Lock] = field(default_factory=lambda: defaultdict(Lock))

    def take(self, endpoint: str, rank: Rank, *, wanted: int) -> list[Permit] | Denied:
        """1 to `wanted` permits out of the shared bucket, or none now."""
        settings = self.settings
        with self.begin() as session:
            taken = take_permits(
                session,
                provider_account_id=self.account_id,
                endpoint=endpoint,
                limits=self.limits,
                rank=rank,
                wanted=wanted,
                probe_s=settings.lease_s / 3,
            )
        now = time.monotonic()
        if isinstance(taken, Denied):
            return taken
        return [Permit(endpoint, now + offset_s, taken.probe, taken.watched) for offset_s in taken.offsets_s]

    def one(self, endpoint: str, rank: Rank) -> Permit:
        """One permit, at its moment. Raises `NoPermit` at once where the provider is to be left alone.

        Waits for its turn, but not for long: whoever calls holds a lease.
        """
        key = (endpoint, rank)
        until = time.monotonic() + self.settings.permit_wait_s
        with self._lock:
            self._asking[key] += 1
            turn = self._turns[key]
        try:
            while True:
                with turn:
                    got = self._kept_or_taken(key)
                if isinstance(got, Permit):
                    got.wait()
                    return got
                if got.paused or time.monotonic() + got.wait_s > until:
                    raise NoPermit("the provider's rate is used up or it is away", retry_after_s=got.wait_s)
                time.sleep(got.wait_s)
        finally:
            with self._lock:
                self._asking[key] -= 1

    def _kept_or_taken(self, key: _Key) -> Permit | Denied:
        kept, stale = self._kept[key], time.monotonic() - _STALE_S
        while kept:
            try:
                permit = kept.popleft()
            except IndexError:
                # Given up meanwhile, by a call that was not answered.
                break
            if permit.at > stale:
                return permit
        endpoint, rank = key
        wanted = max(self._asking[key], int(self.limits.account_per_s * KEPT_S), 1)
        taken = self.take(endpoint, rank, wanted=wanted)
        if isinstance(taken, Denied):
            return taken
        kept.extend(taken[1:])
        return taken[0]

    def tell(self, permit: Permit, reach: Reach, *, retry_after_s: float | None = None) -> None:
        """What the call under this permit told of the line. Costs nothing while all is well; never raises."""
        if reach is Reach.ANSWERED and not (permit.probe or permit.watched):
            return
        if reach is not Reach.ANSWERED:
            # What was taken before belongs to a line that was well.
            for kept in list(self._kept.values()):
                kept.clear()
        told = Told(permit.endpoint, reach, retry_after_s, permit.probe)
        first_s, most_s = self.settings.breaker_s
        try:
            with self.begin() as session:
                before, after = report(
                    session,
                    told,
                    provider_account_id=self.account_id,
                    limits=self.limits,
                    pauses=Pauses(first_s, most_s),
                )
        except DBAPIError as error:
            # The answer itself is still to be recorded; this was a hint, and the next call gives another.
            _log.warning("line_not_told", account=str(self.account_id), error=type(error).__name__)
            return
        if after.opened > before.opened:
            _log.warning("provider_left_alone", account=str(self.account_id), unanswered=after.down_streak)
        elif before.open_until is not None and after.open_until is None:
            _log.info("provider_taken_up_again", account=str(self.account_id))
