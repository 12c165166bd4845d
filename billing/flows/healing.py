"""Healing a restored database: reconcile, adopt what was charged meanwhile, start again. Each step may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import ENGINE
from billing.commands.brake.apply import apply_brake
from billing.commands.brake.release import release_brake
from billing.commands.payment.put_back import put_back
from billing.commands.refund.age_keys import age_keys
from billing.commands.work_item.close import close_for
from billing.flows import reconciliation, restoring
from billing.flows.adopting import adopt
from billing.flows.braking import SWEEPS
from billing.flows.in_turn import each_in_turn, raise_all
from billing.flows.parts import Parts
from billing.flows.reconciliation import Reconciled, reconcile
from billing.flows.windows import passed
from billing.kernel.clock import format_instant
from billing.kernel.errors import BillingError, Fault, ProviderUnavailable, Refused
from billing.kernel.status import PaymentStatus
from billing.models import Brake, Difference, Invoice, Payment, Profile
from billing.queries.accounts import accounts_of
from billing.queries.brakes import STOPPED, BrakeKind, lock_brake
from billing.queue.buffer import after_commit

_log = structlog.get_logger(__name__)

OURS = ("charge_without_attempt", "charge_of_lost_invoice")
"""Kinds of differences that are adopted by themselves after a restore."""
LOOK_BACK = timedelta(hours=48)
"""The provider's lists are read from so long before our newest row: what was under way then is looked at too."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What healing did. `left` are charges that nothing asks for yet: their customers are not charged meanwhile."""

    runs: tuple[Reconciled, ...]
    adopted: int
    left: int


def heal(parts: Parts, *, since: datetime | None = None, evidence: str = "", actor: str = ENGINE) -> Healed:
    """Pause, compare everything since the backup, adopt what is ours, and start again what the engine stopped.

    A brake that a person put on stays on. May die at any line: the brakes stand until the whole of it was done. Raises
    `ProviderUnavailable` while a provider's lists don't reach to where all was stopped: it is tried again later.
    `Refused`: `in_the_future`, and `after_the_copy` where `since` is later than the default (our newest row less
    `LOOK_BACK`): what was charged between would never be seen, and charged again.
    """
    _require_all_seen(parts, since)
    restoring.pause(parts, evidence=evidence or "an operator says so", actor=actor)
    _put_back_prepared(parts)
    _age_refunds(parts)
    _require_whole_lists(parts)
    runs = reconcile(parts, since=since or _newest(parts) - LOOK_BACK, cause="restore")
    adopted = adopt_all(parts)
    left = _hold_customers(parts)
    _start_again(parts)
    _log.warning("database_healed", adopted=adopted, left=left)
    return Healed(tuple(runs), adopted, left)


def tick(parts: Parts) -> None:
    """What is restored is healed; else the day's run goes on, and what waits to be adopted is, where it fits by now."""
    with parts.begin() as session:
        restored = restoring.is_restored(session)
    if restored:
        heal(parts)
        return
    turns = (partial(reconciliation.tick, parts), partial(adopt_held, parts))
    each_in_turn(turns, failed="what was charged was not compared, or not adopted")


def adopt_held(parts: Parts) -> int:
    """Adopt what the customers wait for whom the engine holds since a restore. Returns how many charges.

    One that raises what nobody foresaw keeps no other from it, and is raised in the end.
    """
    held = select(Brake.profile_id).where(
        Brake.released_at.is_(None), Brake.actor == ENGINE, Brake.profile_id.is_not(None)
    )
    done, faults = _adopt(parts, Difference.profile_id.in_(held))
    raise_all(faults, failed="several charges were not adopted")
    return done


def adopt_all(parts: Parts) -> int:
    """Adopt every charge that waits and fits by now. Returns how many.

    What one of them raises is told by the next tick, which adopts what is held then: it keeps nothing stopped.
    """
    done, _ = _adopt(parts, true())
    return done


def _adopt(parts: Parts, whose: ColumnElement[bool]) -> tuple[int, list[Exception]]:
    """Whoever has none left is charged again, also where somebody else has settled the last of them."""
    with parts.begin() as session:
        waiting = session.scalars(
            select(Difference.id)
            .where(Difference.resolved_at.is_(None), Difference.kind.in_(OURS), whose)
            .order_by(Difference.id)
        ).all()
    done, faults = 0, list[Exception]()
    for id_ in waiting:
        try:
            adopt(parts, id_)
        except Refused:
            continue
        except BillingError as later:
            _log.warning("adoption_put_off", difference=str(id_), reason=type(later).__name__)
            continue
        except OperationalError:
            raise
        except Exception as fault:  # noqa: BLE001 (whatever it is, the others are adopted; this one's customer waits)
            _log.warning("charge_not_adopted", difference=str(id_), error=type(fault).__name__)
            faults.append(fault)
            continue
        done += 1
    _release_customers(parts)
    return done, faults


def _put_back_prepared(parts: Parts) -> None:
    """Attempts that the backup shows as not sent may have been sent since: none is sent as if it were new."""
    with parts.begin() as session:
        rows = session.execute(select(Payment.id, Payment.token).where(Payment.status == PaymentStatus.PREPARED))
        put_back(session, [(row.id, row.token) for row in rows], now=parts.clock.now(session))


def _age_refunds(parts: Parts) -> None:
    """Refunds that the backup shows as not sent may have been since they were ordered: their keys are that old."""
    with parts.begin() as session:
        age_keys(session)


def _require_whole_lists(parts: Parts) -> None:
    """PayPal's report is hours late: what it does not show yet would be charged a second time."""
    with parts.begin() as session:
        stopped = restoring.stopped_at(session) or parts.clock.now(session)
        accounts = accounts_of(session, parts.settings.provider_accounts)
    for account in accounts:
        if not parts.provider(account.id).lists_reach(stopped):
            raise ProviderUnavailable(f"{account.label}: its list of charges does not reach to the stop yet")


def _require_all_seen(parts: Parts, since: datetime | None) -> None:
    if since is None:
        return
    with parts.begin() as session:
        passed(since, now=parts.clock.now(session))
    latest = _newest(parts) - LOOK_BACK
    if since > latest:
        mend = (
            f"give {format_instant(latest)} or earlier, or leave it out: what was charged since the copy is looked for"
        )
        raise Refused(Fault("since", "after_the_copy", mend))


def _newest(parts: Parts) -> datetime:
    """When our newest attempt or document was made, business time; a month ago where there is none."""
    with parts.begin() as session:
        attempt = session.scalar(select(func.max(Payment.opened_at)))
        document = session.scalar(select(func.max(Invoice.issued_at)))
        now = parts.clock.now(session)
    known = [each for each in (attempt, document) if each is not None]
    return min(max(known, default=now - timedelta(days=30)), now)


def _unadopted(session: Session) -> list[Profile]:
    query = (
        select(Profile)
        .where(
            Profile.id.in_(
                select(Difference.profile_id).where(
                    Difference.resolved_at.is_(None),
                    Difference.kind.in_(OURS),
                )
            )
        )
        .order_by(Profile.id)
    )
    return list(session.scalars(query))


_REASON = "a charge of a lost invoice waits to be adopted"


def _hold_customers(parts: Parts) -> int:
    """Whoever was charged for what can't be told yet is not charged until it can: the invoice is issued anew first."""
    with parts.begin() as session:
        now = parts.clock.now(session)
        profiles = _unadopted(session)
        for profile in profiles:
            apply_brake(
                session,
                kind=BrakeKind.COLLECT,
                seller_id=profile.seller_id,
                profile_id=profile.id,
                scope=f"customer {profile.id}",
                actor=ENGINE,
                reason=_REASON,
                now=now,
            )
    return len(profiles)


def _release_customers(parts: Parts) -> None:
    with parts.begin() as session:
        # Locked before it is asked who waits: whoever has just found another charge relies on the brake that is on.
        of_customers = (Brake.released_at.is_(None), Brake.actor == ENGINE, Brake.profile_id.is_not(None))
        held = session.scalars(select(Brake).where(*of_customers).order_by(Brake.id).with_for_update()).all()
        still = {profile.id for profile in _unadopted(session)} if held else set()
        for brake in held:
            if brake.profile_id not in still:
                _release(parts, session, brake)


def _start_again(parts: Parts) -> None:
    with parts.begin() as session:
        for kind in BrakeKind:
            brake = lock_brake(session, kind, seller_id=None, profile_id=None)
            if brake is not None and brake.actor == ENGINE:
                _release(parts, session, brake)
        close_for(session, kind=restoring.RESTORED, subject_id=restoring.SUBJECT, now=parts.clock.now(session))


def _release(parts: Parts, session: Session, brake: Brake) -> None:
    kind, now = BrakeKind(brake.kind), parts.clock.now(session)
    release_brake(session, brake_id=brake.id, now=now)
    close_for(session, kind=STOPPED[kind], subject_id=brake.id, now=now)
    after_commit(session, SWEEPS[kind])
