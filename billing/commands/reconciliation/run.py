"""A run of reconciliation as a job: begun or taken up by one worker, moved on with each window, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.errors import Stale
from billing.kernel.ids import new_id
from billing.models import Reconciliation


@dataclass(slots=True)
class Run:
    """A run in this worker's hands until its lease (wall time) ends; every move renews it."""

    id: UUID
    provider_account_id: UUID
    cause: str
    from_at: datetime
    to_at: datetime
    reached_at: datetime
    token: int
    lease_s: float = 0.0


def begin_run(session: Session, *, account_id: UUID, cause: str, from_at: datetime, to_at: datetime) -> UUID:
    """Write a new run; it is taken as any other. Raises `Stale` where another has begun one of the account."""
    run = insert(Reconciliation).values(
        id=new_id(),
        provider_account_id=account_id,
        cause=cause,
        from_at=from_at,
        to_at=to_at,
        reached_at=from_at,
        status="running",
        token=0,
        charges=0,
        refunds=0,
        disputes=0,
        movements=0,
        differences=0,
    )
    alone = run.on_conflict_do_nothing(index_elements=["provider_account_id"], index_where=text("status = 'running'"))
    begun: UUID | None = session.scalar(alone.returning(Reconciliation.id))
    if begun is None:
        raise Stale("another has begun to compare this account; ask again when it is done")
    return begun


_TAKE = text(
    """
    UPDATE billing.reconciliation
    SET token = token + 1, lease_until = clock_timestamp() + make_interval(secs => :lease_s), version = version + 1,
        updated_at = clock_timestamp()
    WHERE provider_account_id = :account AND status = 'running'
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    RETURNING id, provider_account_id, cause, from_at, to_at, reached_at, token
    """
)

_MOVE = text(
    """
    UPDATE billing.reconciliation
    SET reached_at = :reached_at, charges = charges + :charges, refunds = refunds + :refunds,
        disputes = disputes + :disputes, movements = movements + :movements, differences = differences + :differences,
        status = CASE WHEN CAST(:reached_at AS timestamptz) >= to_at THEN 'done' ELSE status END,
        lease_until = CASE WHEN CAST(:reached_at AS timestamptz) >= to_at THEN NULL
                           ELSE clock_timestamp() + make_interval(secs => :lease_s) END,
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id AND token = :token AND status = 'running'
    RETURNING id
    """
)

_RELEASE = text(
    """
    UPDATE billing.reconciliation
    SET lease_until = NULL, version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id AND token = :token AND status = 'running'
    """
)


def take_run(session: Session, *, account_id: UUID, lease_s: float) -> Run | None:
    """The account's unfinished run, taken; None where there is none or another worker has it."""
    row = session.execute(_TAKE, {"account": account_id, "lease_s": lease_s}).one_or_none()
    if row is None:
        return None
    run = Run(*row)
    run.lease_s = lease_s
    return run


def move_run(session: Session, run: Run, *, reached_at: datetime, counts: dict[str, int]) -> None:
    """Note how far it came, what it saw, and that it lives; at its end it is done. Raises `Stale` on a late token."""
    known = {name: counts.get(name, 0) for name in ("charges", "refunds", "disputes", "movements", "differences")}
    values = {"id": run.id, "token": run.token, "reached_at": reached_at, "lease_s": run.lease_s, **known}
    if session.execute(_MOVE, values).one_or_none() is None:
        raise Stale(f"reconciliation {run.id} is in other hands")
    run.reached_at = reached_at


def release_run(session: Session, run: Run) -> None:
    """Give it back unfinished: whoever comes next goes on where it stands."""
    session.execute(_RELEASE, {"id": run.id, "token": run.token})
