"""Report what a call told of the line to a provider: it is slowed, left alone, or taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.provider_rate.rows import ACCOUNT, Limits, breaker_of, lock_rates, pace_of, put
from billing.kernel.errors import Reach
from billing.rules.breaker import Breaker, after
from billing.rules.rate import slowed


@dataclass(frozen=True, slots=True)
class Told:
    """What one call of an operation told. `retry_after_s`: the provider's own wish."""

    endpoint: str
    reach: Reach
    retry_after_s: float | None = None
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long an open breaker stays so: at first, and at most (seconds)."""

    first_s: float
    most_s: float


def report(
    session: Session, told: Told, *, provider_account_id: UUID, limits: Limits, pauses: Pauses
) -> tuple[Breaker, Breaker]:
    """Write it down. Returns the breaker as it was and as it is."""
    of = {ACCOUNT: limits.account_per_s}
    if limits.endpoint_per_s is not None and told.reach is Reach.THROTTLED_ENDPOINT:
        of[told.endpoint] = limits.endpoint_per_s
    rows, now = lock_rates(session, provider_account_id, of)
    if told.reach in (Reach.THROTTLED, Reach.THROTTLED_ENDPOINT):
        # The last row: the operation's own where only that one met its limit, else the account's.
        put(rows[-1], slowed(pace_of(rows[-1]), now=now, retry_after_s=told.retry_after_s))
        rows[-1].throttled += 1
    before = breaker_of(rows[0])
    breaker = after(before, told.reach, probe=told.probe, now=now, first_s=pauses.first_s, most_s=pauses.most_s)
    put(rows[0], breaker)
    session.flush()
    return before, breaker
