"""The two brakes: charging and issuing are stopped and started, for all, a seller or a customer, and written down."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.brake.apply import apply_brake
from billing.commands.brake.release import release_brake
from billing.commands.work_item.close import close_for
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.flows.restoring import require_healed
from billing.kernel.errors import Fault, Refused
from billing.models import Brake, Profile, Seller
from billing.queries.brakes import STOPPED, BrakeKind, lock_brake
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK, RENEWALS_TICK

SWEEPS = {BrakeKind.COLLECT: COLLECTIONS_TICK, BrakeKind.ISSUE: RENEWALS_TICK}
"""The sweep that catches up."""


def stop(
    parts: Parts, kind: BrakeKind, *, seller_id: UUID | None = None, profile_id: UUID | None = None, order: Order
) -> Done:
    """Stop it from now on. What is at the provider already comes to its end; what was opened is put back unsent.

    Raises `Refused` (`profile_not_found`).
    """
    with carry_out(parts, order) as session:
        seller_id, scope = _scope(session, seller_id, profile_id)
        now = parts.clock.now(session)
        brake = apply_brake(
            session,
            kind=kind,
            seller_id=seller_id,
            profile_id=profile_id,
            # A work item outlives its customer's erasing: it names them by the profile's id.
            scope=scope if profile_id is None else f"customer {profile_id}",
            actor=order.actor,
            reason=order.reason,
            now=now,
        )
        if brake is None:
            found = lock_brake(session, kind, seller_id=seller_id, profile_id=profile_id)
            assert found is not None
            return Done(found.id, scope, changed=False, told=f"it is stopped already, by {found.actor}")
        _note(parts, session, order, brake, before="running", after="stopped")
        return Done(brake.id, scope, changed=True, told="stopped")


def start(
    parts: Parts, kind: BrakeKind, *, seller_id: UUID | None = None, profile_id: UUID | None = None, order: Order
) -> Done:
    """Start what was stopped with the same scope; a wider brake goes on holding. The next sweep catches up.

    Raises `Refused`: `not_reconciled` while a restored database holds it; `profile_not_found`.
    """
    with carry_out(parts, order) as session:
        seller_id, scope = _scope(session, seller_id, profile_id)
        brake = lock_brake(session, kind, seller_id=seller_id, profile_id=profile_id)
        if brake is None:
            nothing = profile_id or seller_id or UUID(int=0)
            return Done(nothing, scope, changed=False, told="it is not stopped; nothing was changed")
        require_healed(session, brake)
        now = parts.clock.now(session)
        release_brake(session, brake_id=brake.id, now=now)
        close_for(session, kind=STOPPED[kind], subject_id=brake.id, now=now)
        _note(parts, session, order, brake, before="stopped", after="running")
        after_commit(session, SWEEPS[kind])
        return Done(brake.id, scope, changed=True, told="started; the next sweep catches up")


def _scope(session: Session, seller_id: UUID | None, profile_id: UUID | None) -> tuple[UUID | None, str]:
    """The seller whose brake it is, and the scope in words."""
    if profile_id is not None:
        profile = session.scalars(select(Profile).where(Profile.id == profile_id)).one_or_none()
        if profile is None:
            raise Refused(Fault("profile", "profile_not_found", "give the id of a customer"))
        return profile.seller_id, f"customer {profile.account_id}"
    if seller_id is not None:
        return seller_id, f"seller {session.get_one(Seller, seller_id).code}"
    return None, "everything"


def _note(parts: Parts, session: Session, order: Order, brake: Brake, *, before: str, after: str) -> None:
    scope = {"seller_id": str(brake.seller_id or ""), "profile_id": str(brake.profile_id or "")}
    note(
        parts,
        session,
        order,
        action=f"{brake.kind}.{'stop' if after == 'stopped' else 'start'}",
        subject_type="brake",
        subject_id=brake.id,
        seller_id=brake.seller_id,
        before={"state": before},
        after={"state": after, **scope},
    )
