"""Turns: which of many attempts may be sent now, each under its permit, and which are given back unsent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from billing.commands.provider_rate.take import Denied
from billing.flows.metered import Metered, charge_operation
from billing.flows.parts import Parts
from billing.flows.permits import Permit
from billing.kernel.errors import Refused
from billing.providers.port import ChargeOutcome, ChargeRequest, Outcome
from billing.rules.rate import Rank

SOON_S = 0.02
"""A permit whose moment is so near is as good as due: marking the attempt takes about as long."""
_STALE_S = 0.5
"""A permit that could not be used for so long is lost."""


class Sendable(Protocol):
    """What is sent in turn."""

    @property
    def provider_account_id(self) -> UUID: ...

    @property
    def request(self) -> ChargeRequest: ...


S = TypeVar("S", bound=Sendable)


@dataclass(slots=True)
class _Row(Generic[S]):
    """Those that need the same kind of permit, with the moment by which each has to be on its way."""

    provider: Metered
    operation: str
    waiting: deque[tuple[float, S]] = field(default_factory=deque)
    permits: deque[Permit] = field(default_factory=deque)
    look_at: float = 0.0
    """When to ask for permits again."""


class Turns(Generic[S]):
    """Attempts in this worker's hands, by account and operation. All instants are of `time.monotonic()`.

    `more` is asked for further ones when few are left, until it gives none. One that can't be sent while its lease
    covers the call, or at all because its account has no key here, comes out of `take_unsent`, with why.
    """

    def __init__(
        self, parts: Parts, first: Sequence[S], *, rank: Rank, more: Callable[[], Sequence[S]] | None = None
    ) -> None:
        self._parts, self._rank, self._more = parts, rank, more
        self._most = parts.settings.billing_charges_in_flight
        self._rows: dict[tuple[UUID, str], _Row[S]] = {}
        self._unsent: list[tuple[S, ChargeOutcome]] = []
        self._add(first)

    @property
    def left(self) -> int:
        """How many wait to be sent, or to be taken back unsent."""
        return sum(len(row.waiting) for row in self._rows.values()) + len(self._unsent)

    def due(self, *, room: int) -> list[tuple[S, Metered, Permit]]:
        """Up to `room` of them that may be sent now, oldest first."""
        if self._more is not None and self.left < self._most:
            further = self._more()
            self._add(further)
            if not further:
                self._more = None
        found: list[tuple[S, Metered, Permit]] = []
        for row in self._rows.values():
            if row.waiting:
                self._drop_late(row)
            if row.waiting:
                self._ask(row)
            while row.waiting and row.permits and len(found) < room and row.permits[0].at <= time.monotonic() + SOON_S:
                found.append((row.waiting.popleft()[1], row.provider, row.permits.popleft()))
        return found

    def pause_s(self, *, room: int) -> float | None:
        """How long nothing will be due; None where nothing waits, or where there is no room."""
        if room <= 0:
            return None
        moments = [
            row.permits[0].at - SOON_S / 2 if row.permits else row.look_at for row in self._rows.values() if row.waiting
        ]
        return max(0.001, min(moments) - time.monotonic()) if moments else None

    def take_unsent(self) -> list[tuple[S, ChargeOutcome]]:
        """Those given back since the last call; surely not sent."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def _add(self, further: Sequence[S]) -> None:
        until = time.monotonic() + self._parts.settings.lease_s / 3
        for each in further:
            key = (each.provider_account_id, charge_operation(each.request))
            try:
                if key not in self._rows:
                    self._rows[key] = _Row(self._parts.provider(key[0], rank=self._rank), key[1])
            except Refused as refused:
                self._unsent.append((each, ChargeOutcome(Outcome.NOT_SENT, reason=refused.code, account_wide=True)))
            else:
                self._rows[key].waiting.append((until, each))

    def _drop_late(self, row: _Row[S]) -> None:
        now = time.monotonic()
        while row.waiting and row.waiting[0][0] < now:
            self._unsent.append((row.waiting.popleft()[1], no_permit(0.0)))
        while row.permits and row.permits[0].at < now - _STALE_S:
            row.permits.popleft()

    def _ask(self, row: _Row[S]) -> None:
        """Another block, shortly before the last one is used up."""
        now = time.monotonic()
        if row.look_at > now or len(row.permits) >= len(row.waiting):
            return
        if row.permits and row.permits[-1].at > now + 2 * SOON_S:
            return
        wanted = min(len(row.waiting), self._most) - len(row.permits)
        if wanted <= 0:
            return
        taken = row.provider.permits.take(row.operation, self._rank, wanted=wanted)
        if not isinstance(taken, Denied):
            row.permits.extend(taken)
        elif taken.paused:
            self._unsent += [(each, no_permit(taken.wait_s)) for _, each in row.waiting]
            row.waiting.clear()
        else:
            row.look_at = now + taken.wait_s


def no_permit(wait_s: float) -> ChargeOutcome:
    """Of an attempt that others go before: nothing was sent."""
    return ChargeOutcome(Outcome.NOT_SENT, reason="no_permit", retry_after_s=wait_s)
