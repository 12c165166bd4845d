"""How the lines to the providers are: their pace, whether one is left alone, and how much charging each can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.rules.rate import WANDERS_S

_BELIEVED = f"r.grown_at <= clock_timestamp() + make_interval(secs => {WANDERS_S})"
"""False where the clock was put back since: whoever takes the next permit sets the row right."""

PAUSED = f"""
    SELECT provider_account_id FROM billing.provider_rate r
    WHERE endpoint = '' AND greatest(open_until, probe_until, held_until) > clock_timestamp() AND {_BELIEVED}
"""  # noqa: S608 (our own words)
"""Accounts that are sent nothing now; a part of other statements."""

_PROBED = "SELECT provider_account_id FROM billing.provider_rate WHERE endpoint = '' AND open_until IS NOT NULL"


def carried(table: str, waiting: str) -> str:
    """A condition on rows of `table`: their account takes calls; of one that is only probed, its first that waits."""
    return f"""
        provider_account_id NOT IN ({PAUSED}) AND (provider_account_id NOT IN ({_PROBED}) OR id IN (
            SELECT DISTINCT ON (provider_account_id) id FROM billing.{table}
            WHERE provider_account_id IN ({_PROBED}) AND {waiting} ORDER BY provider_account_id, next_check_at))
    """  # noqa: S608 (our own words)


_LINES = text(
    f"""
    SELECT a.id AS account_id, a.provider, a.code, a.livemode, r.limit_per_s,
        least(r.rate_per_s, charges.rate_per_s)::float8 AS charges_per_s, r.rate_per_s,
        (SELECT coalesce(sum(cardinality(s.member_ids)), 0)::int FROM billing.slice s
         WHERE s.kind = 'charges' AND s.status IN ('pending', 'running') AND s.provider_account_id = a.id) AS planned,
        ARRAY(SELECT m.profile_id FROM billing.payment_method m
              WHERE m.is_default AND m.profile_id = ANY(:profiles) AND m.provider_account_id = a.id) AS profiles,
        CASE WHEN clock_timestamp() - r.counted_from < interval '5 seconds'
             THEN greatest(r.measured_per_s, 0) ELSE 0 END AS measured_per_s,
        coalesce(r.throttled, 0) AS throttled, coalesce(r.down_streak, 0) AS down_streak,
        coalesce(r.open_until IS NOT NULL, false) AS tripped,
        CASE WHEN {_BELIEVED} THEN greatest(coalesce(extract(epoch FROM greatest(r.open_until, r.probe_until,
             r.held_until) - clock_timestamp()), 0), 0) ELSE 0 END::float8 AS wait_s
    FROM billing.provider_account a
    LEFT JOIN billing.provider_rate r ON r.provider_account_id = a.id AND r.endpoint = ''
    LEFT JOIN LATERAL (
        SELECT sum(o.rate_per_s) AS rate_per_s FROM billing.provider_rate o
        WHERE o.provider_account_id = a.id AND o.updated_at > clock_timestamp() - interval '10 minutes'
          AND o.endpoint IN ('payment_intents.create', 'payment_intents.confirm')) AS charges ON true
    ORDER BY a.provider, a.code
    """  # noqa: S608 (our own words)
)


@dataclass(frozen=True, slots=True)
class Line:
    """The line to one provider account. Rates are calls a second; all is None of an account that was never called."""

    account_id: UUID
    provider: str
    code: str
    livemode: bool
    limit_per_s: float | None
    charges_per_s: float | None
    """What of the rate charges can use: some operations have limits of their own."""
    rate_per_s: float | None
    measured_per_s: float | None
    throttled: int
    down_streak: int
    tripped: bool
    """The breaker is open, or half open once `wait_s` is 0."""
    wait_s: float
    planned: int
    """Invoices in its slices that are not done."""
    profiles: list[UUID]
    """Those asked about whose default method belongs to it."""


def is_slowed(line: Line) -> bool:
    """Whether 429s hold it clearly below its limit."""
    return line.rate_per_s is not None and line.limit_per_s is not None and line.rate_per_s < 0.9 * line.limit_per_s


def lines(session: Session, *, profiles: Sequence[UUID] = ()) -> list[Line]:
    """Of every account, by provider and code, in one statement."""
    return [Line(**row) for row in session.execute(_LINES, {"profiles": list(profiles)}).mappings()]
