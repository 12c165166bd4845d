"""Carrying: how many charges are planned for each account: what its rate takes in the near future, and no more.

A million due at midnight stay where they are, in their rows; slices, messages and memory follow the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.flows.parts import Parts
from billing.queries.rate import Line, lines

HORIZON_TICKS = 2
"""Charges are planned for so many ticks: enough that no worker runs dry before the next."""
_WORKERS = 16
"""So many workers may each have opened a slice of one account, and all of them get permits in time."""
_LEAST_SLICE = 8


@dataclass(slots=True)
class Room:
    """How many more invoices may be planned for an account, and in slices of which size. None: they need no call."""

    account: UUID | None
    invoices: int
    slice_size: int
    profiles: frozenset[UUID] = frozenset()
    """Of those asked about, the ones whose default method belongs to it."""


def rooms(parts: Parts, session: Session, *, profiles: Sequence[UUID] = ()) -> list[Room]:
    """The room of each account, and that of invoices without one, last.

    None of an account that is left alone; one, the probe, where that time is over.
    """
    settings = parts.settings
    found = [
        Room(
            account=line.account_id,
            invoices=max(0, _carried(parts, line) - line.planned),
            slice_size=_slice_size(parts, line),
            profiles=frozenset(line.profiles),
        )
        for line in lines(session, profiles=profiles)
    ]
    known = frozenset().union(*(room.profiles for room in found))
    return [*found, Room(None, settings.billing_plan_limit, settings.billing_charge_slice, frozenset(profiles) - known)]


def may_open(session: Session, account: UUID | None) -> int | None:
    """How many attempts a slice of this account may open: all (None), but for a provider that is away.

    What is not opened stays due, and uses up nothing.
    """
    line = next((line for line in lines(session) if line.account_id == account), None)
    if line is None or not line.tripped:
        return None
    return 0 if line.wait_s > 0 else 1


def _slice_size(parts: Parts, line: Line) -> int:
    """What is opened at once is to be sent while its leases last."""
    in_time = int(_per_s(parts, line) * parts.settings.lease_s / 3 / _WORKERS)
    return min(parts.settings.billing_charge_slice, max(in_time, _LEAST_SLICE))


def _carried(parts: Parts, line: Line) -> int:
    if line.tripped:
        return 0 if line.wait_s > 0 else 1
    horizon_s = HORIZON_TICKS * parts.settings.tick_s
    if line.wait_s >= horizon_s:
        return 0
    return min(parts.settings.billing_plan_limit, max(1, int(_per_s(parts, line) * horizon_s)))


def _per_s(parts: Parts, line: Line) -> float:
    return line.charges_per_s or parts.settings.calls_per_s(livemode=line.livemode)
