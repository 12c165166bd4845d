"""Take permits for calls to a provider out of the bucket that all processes share."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.provider_rate.rows import ACCOUNT, Limits, breaker_of, lock_rates, pace_of, put
from billing.rules.breaker import admission, probing
from billing.rules.rate import Rank, Wait, grown, take


@dataclass(frozen=True, slots=True)
class Granted:
    """Permits, as seconds from now. `watched`: the line was not well lately, so good answers are news, too."""

    offsets_s: list[float]
    probe: bool = False
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """None now; ask again after so many seconds. `paused`: the provider is away, or wishes for a pause."""

    wait_s: float
    paused: bool


def take_permits(
    session: Session,
    *,
    provider_account_id: UUID,
    endpoint: str,
    limits: Limits,
    rank: Rank,
    wanted: int,
    probe_s: float,
) -> Granted | Denied:
    """1 to `wanted` permits for `endpoint`; exactly one, the probe, where the breaker is half open.

    `probe_s`: a probe has ended within so many seconds. The rows are held until the caller's transaction ends: commit
    at once.
    """
    of = {ACCOUNT: limits.account_per_s}
    if limits.endpoint_per_s is not None:
        of[endpoint] = limits.endpoint_per_s
    rows, now = lock_rates(session, provider_account_id, of)
    breaker = breaker_of(rows[0])
    said = admission(breaker, now=now)
    if said.wait_s > 0:
        return Denied(said.wait_s, paused=True)
    paces = [grown(pace_of(row), of[row.endpoint], now=now) for row in rows]
    taken = take(paces, rank=rank, wanted=1 if said.probe else wanted, now=now)
    if isinstance(taken, Wait):
        return Denied(taken.seconds, paused=taken.held)
    for row, pace in zip(rows, taken[0], strict=True):
        put(row, pace)
    if said.probe:
        put(rows[0], probing(breaker, now=now, probe_s=probe_s))
    session.flush()
    return Granted(taken[1], probe=said.probe, watched=not breaker.clean)
