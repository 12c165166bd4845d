"""Work items in a person's hands: retried, parked, discarded, refunded, each at most once, and all of it written down.

Locks are taken as the flows take them: what the item is about first, then the item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.difference.resolve import resolve_difference
from billing.commands.expected_version import require_version
from billing.commands.payment.unapplied import let_go, lock_unapplied
from billing.commands.refund.settle import settle_refund
from billing.commands.work_item.close import close_item
from billing.commands.work_item.park import park_item, reopen_item
from billing.db.base import Json
from billing.flows import accepting, deciding
from billing.flows.adopting import adopt
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.flows.rereading import GONE, reread
from billing.flows.retrying import RETRIES, Retry
from billing.flows.sending_back import SETTLED_OF, look_at_refunds, send_back, settle_apart
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.money import format_minor
from billing.kernel.status import LIVE_WORK, SettledAs, WorkItemStatus
from billing.kernel.work import WorkKind
from billing.models import Refund, WorkItem
from billing.queries.causes import cause_stands
from billing.queries.differences import the_difference
from billing.queries.operations.work import WorkFilter, digests_of, list_work, lock_item
from billing.queries.profile import lock_person, lock_profile
from billing.queries.refunding import lock_refund
from billing.queue.buffer import after_commit
from billing.queue.names import RENEWALS_TICK, TaskName

_PAGE = 500
"""Items whose ids are read at once."""


class Action(StrEnum):
    """What a person may do with an item, where its `safe_actions` allow it."""

    RETRY = "retry"
    PARK = "park"
    ACCEPT = "accept"
    DISCARD = "discard"
    ADOPT = "adopt"
    REREAD = "reread"
    RELEASE = "release"
    MERGE = "merge"
    SKIP = "skip"
    REFUND = "refund"
    CREDIT = "credit"
    PAID = "paid"


def act(parts: Parts, item_id: UUID, *, action: Action, order: Order, wake: bool = True) -> Done:
    """Do one safe action with one item. A repeat, or an action on what is closed, changes nothing and says so.

    `wake`: have the sweep look at once. Raises `Refused`: `work_item_not_found`, `action_not_safe`, `actor_missing`,
    `reason_missing`, what `send_back` and the settling refuse; the provider's errors where it is asked first; `Stale`
    where the item was closed meanwhile.
    """
    if action in (Action.ADOPT, Action.REREAD):
        return _at_the_provider(parts, item_id, action=action, order=order)
    if action in (Action.CREDIT, Action.PAID) and not order.dry_run:
        look_at_refunds(parts, item_id)
    with carry_out(parts, order) as session:
        item = _the_item(session, item_id)
        before = _state(item)
        _require_safe(item, action)
        decided = item.kind in deciding.KINDS and action in deciding.DECISIONS
        doing = _DOING.get(action, _retry)
        require_version(item, order.expected_version)
        done = _decide(parts, session, item, action, order) if decided else doing(parts, session, item, order)
        note(
            parts,
            session,
            order,
            action=f"work.{action}",
            subject_type="work_item",
            subject_id=item.id,
            seller_id=item.seller_id,
            before=before,
            after=_state(item) | {"changed": done.changed, "told": done.told},
        )
        subject_id = item.subject_id
        if decided and done.changed and wake:
            after_commit(session, RENEWALS_TICK)
        retry = _retried(done, action)
        if retry and retry.nudge and retry.names_subject:
            after_commit(session, retry.nudge, subject_id)
        elif retry and retry.nudge and wake:
            after_commit(session, retry.nudge)
    if retry and retry.afterwards and not order.dry_run:
        retry.afterwards(parts, subject_id)
    return done


def _at_the_provider(parts: Parts, item_id: UUID, *, action: Action, order: Order) -> Done:
    """Adopt or reread what a difference is about: the provider is asked first, with no transaction open."""
    with parts.begin() as session:
        item = _the_item(session, item_id)
        before = _state(item)
        _require_safe(item, action)
        require_version(item, order.expected_version)
        if item.status not in LIVE_WORK:
            return _closed_already(item)
        subject_id, kind = item.subject_id, item.kind
    if order.dry_run:
        return Done(item_id, kind, changed=False, told=f"it would {action} it, by what the provider shows then")

    def write_down(session: Session) -> None:
        """In the transaction of the effect, as far as there is one; the answer too."""
        if order.once is not None:
            order.once.claim(session)
        note(
            parts,
            session,
            order,
            action=f"work.{action}",
            subject_type="work_item",
            subject_id=item_id,
            seller_id=item.seller_id,
            before=before,
            after=_state(session.get_one(WorkItem, item_id, populate_existing=True)),
        )
        if order.once is not None:
            order.once.keep(session)

    if action is Action.ADOPT:
        return Done(item_id, kind, changed=True, told=adopt(parts, subject_id, also=write_down))
    told = reread(parts, subject_id)
    with parts.begin() as session:
        write_down(session)
    return Done(item_id, kind, changed=told == GONE, told=told)


def _retried(done: Done, action: Action) -> Retry | None:
    """How the item was tried again; None where it wasn't."""
    return RETRIES.get(done.name) if action is Action.RETRY and done.changed else None


def act_on_all(parts: Parts, wanted: WorkFilter, *, action: Action, order: Order) -> Iterator[Done]:
    """As `act`, for every item that the filter lets through, newest first, each in a transaction of its own.

    What is accepted of an item is what an audit said of it when the filter was asked.
    A refusal is told and the others go on. An item that is raised meanwhile is left for the next time.
    """
    before: UUID | None = None
    while True:
        with parts.begin() as session:
            page = list_work(session, wanted, before=before, limit=_PAGE)
            ids = [row["id"] for row in page.rows]
            seen = digests_of(session, ids) if action is Action.ACCEPT else {}
        sweeps: set[TaskName] = set()
        for id_ in ids:
            done = _act_or_tell(parts, id_, action=action, order=replace(order, expected_findings=seen.get(id_)))
            retry = _retried(done, action)
            if retry and retry.nudge and not retry.names_subject:
                sweeps.add(retry.nudge)
            yield done
        with carry_out(parts, order) as session:
            # Once for all of them: a sweep finds by itself what is due.
            for sweep in sweeps:
                after_commit(session, sweep)
        before = page.next_before
        if before is None:
            return


def _act_or_tell(parts: Parts, item_id: UUID, *, action: Action, order: Order) -> Done:
    try:
        return act(parts, item_id, action=action, order=order, wake=False)
    except Refused as refused:
        fault = refused.faults[0]
        return Done(item_id, fault.field, changed=False, told=fault.mend, refused=fault.code)
    except Stale as late:
        return Done(item_id, "work_item", changed=False, told=str(late), refused="stale")


def _the_item(session: Session, item_id: UUID) -> WorkItem:
    item = session.get(WorkItem, item_id)
    if item is None:
        raise Refused(Fault("work_item", "work_item_not_found", "give an id of `billing work list`"))
    return item


def _require_safe(item: WorkItem, action: Action) -> None:
    if item.status in LIVE_WORK and action not in item.safe_actions:
        safe = ", ".join(item.safe_actions) or "nothing"
        raise Refused(Fault("action", "action_not_safe", f"{item.kind} allows {safe}"))


def _retry(parts: Parts, session: Session, item: WorkItem, _: Order) -> Done:
    retry = RETRIES.get(item.kind)
    if item.status in LIVE_WORK and retry is None:
        raise Refused(Fault("action", "action_not_safe", f"{item.kind} can't be tried again from here"))
    if item.status not in LIVE_WORK or retry is None:
        return _closed_already(item)
    now = parts.clock.now(session)
    stands = cause_stands(session, item, now=now)
    again = stands and retry.again(parts, session, item.subject_id)
    _lock(session, item)
    if item.status not in LIVE_WORK:
        raise Stale(f"work item {item.id} was closed meanwhile; look again")
    if not stands:
        close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
        return _done(item, "its cause is gone; it is closed")
    if item.status == WorkItemStatus.PARKED:
        reopen_item(session, item=item)
    elif not again:
        return _done(item, "another try is under way already; nothing was changed", changed=False)
    item.next_try_at = now
    session.flush()
    return _done(item, retry.told)


def _park(_: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    _lock(session, item, expected=order.expected_version)
    if item.status == WorkItemStatus.PARKED:
        return _done(item, "it is parked already; nothing was changed", changed=False)
    if item.status not in LIVE_WORK:
        return _closed_already(item)
    park_item(session, item=item)
    return _done(item, "it is parked and waits by decision")


def _discard(parts: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    about_difference = item.subject_type == "difference"
    invoice = None
    if about_difference:
        the_difference(session, item.subject_id, lock=True)
    elif item.kind == WorkKind.PAYMENT_UNAPPLIED:
        # One that a worker of a release before 0057 has raised; it can be settled all the same.
        _, invoice = lock_unapplied(session, item.subject_id)
    _lock(session, item, expected=order.expected_version)
    if item.status not in LIVE_WORK:
        return _closed_already(item)
    now = parts.clock.now(session)
    close_item(session, item=item, status=WorkItemStatus.DISCARDED, now=now)
    if about_difference:
        resolve_difference(session, difference_id=item.subject_id, now=now)
    if invoice is not None:
        let_go(session, unapplied_id=item.subject_id, invoice=invoice)
    return _done(item, "it is discarded and needs nothing more")


def _refund(parts: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    """Send back all that is left of what is kept apart."""
    if item.status not in LIVE_WORK:
        return _closed_already(item)
    lock_unapplied(session, item.subject_id)
    _lock(session, item, expected=order.expected_version)
    if item.status not in LIVE_WORK:
        return _closed_already(item)
    refund = send_back(parts, session, item.subject_id)
    session.refresh(item)
    return _done(item, f"{format_minor(refund.amount_minor, refund.currency)} go back")


def _decide(parts: Parts, session: Session, item: WorkItem, action: Action, order: Order) -> Done:
    """Carry out what was decided about drafts that a guard holds."""
    # The customers first, then the item, as billing takes them. What billing holds meanwhile is decided with the rest.
    deciding.lock_customers(session, item.id)
    _lock(session, item, expected=order.expected_version)
    if item.status not in LIVE_WORK:
        return _closed_already(item)
    told = deciding.DECISIONS[action](parts, session, item.id)
    status = WorkItemStatus.DISCARDED if action is Action.DISCARD else WorkItemStatus.RESOLVED
    close_item(session, item=item, status=status, now=parts.clock.now(session))
    return _done(item, told)


def _credit(parts: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    return _settle(parts, session, item, order, SettledAs.CREDIT)


def _paid(parts: Parts, session: Session, item: WorkItem, order: Order) -> Done:
    return _settle(parts, session, item, order, SettledAs.PAID)


def _settle(parts: Parts, session: Session, item: WorkItem, order: Order, way: SettledAs) -> Done:
    """What we owe and can't send back goes another way; of a failed refund the order's reason is its reference."""
    apart = item.kind == WorkKind.PAYMENT_UNAPPLIED
    settled_of = SETTLED_OF if apart else LIVE_WORK
    if item.status not in settled_of:
        return _closed_already(item)
    assert item.profile_id is not None
    (lock_person if way is SettledAs.CREDIT else lock_profile)(session, item.profile_id)
    (lock_unapplied if apart else lock_refund)(session, item.subject_id)
    _lock(session, item, expected=order.expected_version)
    if item.status not in settled_of:
        return _closed_already(item)
    if apart:
        amount, currency = settle_apart(parts, session, item.subject_id, way)
        session.refresh(item)
    else:
        refund, now = session.get_one(Refund, item.subject_id), parts.clock.now(session)
        settle_refund(session, refund=refund, way=way, reference=order.reason, now=now)
        close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
        amount, currency = refund.amount_minor, refund.currency
    written = format_minor(amount, currency)
    return _done(item, f"{written} are credit" if way is SettledAs.CREDIT else f"{written} were paid another way")


_DOING = {
    Action.RETRY: _retry,
    Action.PARK: _park,
    Action.ACCEPT: accepting.accept,
    Action.DISCARD: _discard,
    Action.REFUND: _refund,
    Action.CREDIT: _credit,
    Action.PAID: _paid,
}


def _lock(session: Session, item: WorkItem, *, expected: int | None = None) -> None:
    lock_item(session, item.id)
    require_version(item, expected)


def _closed_already(item: WorkItem) -> Done:
    return _done(item, f"it is {item.status} already; nothing was changed", changed=False)


def _done(item: WorkItem, told: str, *, changed: bool = True) -> Done:
    return Done(item.id, item.kind, changed=changed, told=told)


def _state(item: WorkItem) -> Json:
    return {
        "kind": item.kind,
        "subject_type": item.subject_type,
        "subject_id": str(item.subject_id),
        "status": item.status,
        "tries": item.tries,
    }
