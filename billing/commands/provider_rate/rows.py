"""The rows of the bucket, locked in one order, and the states that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.kernel.ids import new_id
from billing.models import ProviderRate
from billing.rules import breaker, rate
from billing.rules.breaker import Breaker
from billing.rules.rate import Pace, begun, stepped_back_s

ACCOUNT = ""
"""The endpoint of the account's own row."""

_PACE = tuple(field.name for field in fields(Pace))
_BREAKER = tuple(field.name for field in fields(Breaker))


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a second that the provider allows, by setting: of the account, and of one operation (None: no own)."""

    account_per_s: float
    endpoint_per_s: float | None


def lock_rates(session: Session, account_id: UUID, limits: dict[str, float]) -> tuple[list[ProviderRate], datetime]:
    """The rows of these endpoints, the account's first; made where there are none yet. Locked until the end.

    Also wall time as read under the locks. Where the database's clock was put back since, so is what the rows hold.
    """
    rows = _lock(session, account_id, list(limits))
    if len(rows) < len(limits):
        wall = wall_now(session)
        for endpoint, limit in limits.items():
            values = asdict(begun(limit, now=wall)) | {
                "id": new_id(), "provider_account_id": account_id, "endpoint": endpoint,
            }  # fmt: skip
            session.execute(insert(ProviderRate).values(values).on_conflict_do_nothing())
        rows = _lock(session, account_id, list(limits))
    now = wall_now(session)
    for row in rows:
        back_s = stepped_back_s(pace_of(row), now=now)
        if back_s:
            put(row, rate.put_back(pace_of(row), seconds=back_s))
            put(row, breaker.put_back(breaker_of(row), seconds=back_s))
    return rows, now


def _lock(session: Session, account_id: UUID, endpoints: Sequence[str]) -> list[ProviderRate]:
    return list(
        session.scalars(
            select(ProviderRate)
            .where(ProviderRate.provider_account_id == account_id, ProviderRate.endpoint.in_(endpoints))
            .order_by(ProviderRate.endpoint)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def pace_of(row: ProviderRate) -> Pace:
    """Its bucket."""
    return Pace(**{name: getattr(row, name) for name in _PACE})


def breaker_of(row: ProviderRate) -> Breaker:
    """The account's breaker."""
    return Breaker(**{name: getattr(row, name) for name in _BREAKER})


def put(row: ProviderRate, state: Pace | Breaker) -> None:
    """Write a state back."""
    for name in _PACE if isinstance(state, Pace) else _BREAKER:
        setattr(row, name, getattr(state, name))
