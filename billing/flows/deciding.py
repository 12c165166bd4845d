"""Deciding about what a guard holds: release it, merge it, skip what was missed, or discard it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.flows.drafts import resum
from billing.flows.guarding import DAY, SUBSCRIPTION, count_released
from billing.flows.parts import Parts
from billing.kernel.status import InvoiceStatus, PeriodDisposition
from billing.models import BillingPeriod, Invoice, InvoiceLine, Profile

KINDS = (DAY, SUBSCRIPTION)

Decision = Callable[[Parts, Session, UUID], str]
"""Carries it out for all drafts of a work item, within the caller's transaction; returns what was done."""


def lock_customers(session: Session, item_id: UUID) -> None:
    """Lock the customers of all that the item holds, in the order of their ids."""
    held = select(Invoice.profile_id).where(Invoice.hold_id == item_id, Invoice.status == InvoiceStatus.DRAFT)
    query = select(Profile.id).where(Profile.id.in_(held)).order_by(Profile.id)
    session.scalars(query.with_for_update(key_share=True)).all()


def release(parts: Parts, session: Session, item_id: UUID) -> str:
    """Let them be issued as they are, by the next sweep."""
    return f"{_let_go(parts, session, _held(session, item_id))} drafts are released; the next sweep issues them"


def merge(parts: Parts, session: Session, item_id: UUID) -> str:
    """Of each subscription one document with the lines of all, over all its periods; then release it."""
    released = []
    for drafts in _by_subscription(session, item_id):
        last = drafts[-1]
        _take_lines(session, last, drafts[:-1], kinds=None)
        for earlier in drafts[:-1]:
            _repoint(session, earlier, to=last.id, disposition=None)
            _expire(parts, session, earlier)
        last.period_start = drafts[0].period_start
        resum(parts, session, last)
        released.append(last)
    return f"{_let_go(parts, session, released)} drafts are left and released; the next sweep issues them"


def skip(parts: Parts, session: Session, item_id: UUID) -> str:
    """Missed periods are recorded as skipped; what else was due of them is billed with the last one."""
    released = []
    for drafts in _by_subscription(session, item_id):
        last = drafts[-1]
        _take_lines(session, last, drafts[:-1], kinds=("usage", "one_off", "proration_credit", "proration_charge"))
        for earlier in drafts[:-1]:
            _repoint(session, earlier, to=None, disposition=PeriodDisposition.SKIPPED)
            _expire(parts, session, earlier)
        resum(parts, session, last)
        released.append(last)
    return f"{_let_go(parts, session, released)} drafts are left and released; the next sweep issues them"


def discard(parts: Parts, session: Session, item_id: UUID) -> str:
    """Nothing of it is issued; its periods are recorded as skipped."""
    drafts = _held(session, item_id)
    for draft in drafts:
        _repoint(session, draft, to=None, disposition=PeriodDisposition.SKIPPED)
        _expire(parts, session, draft)
    return f"{len(drafts)} drafts are dropped; their periods are skipped"


DECISIONS: dict[str, Decision] = {"release": release, "merge": merge, "skip": skip, "discard": discard}
"""By action, for the kinds of `KINDS`."""


def _held(session: Session, item_id: UUID) -> list[Invoice]:
    return list(
        session.scalars(
            select(Invoice)
            .where(Invoice.hold_id == item_id, Invoice.status == InvoiceStatus.DRAFT)
            .order_by(Invoice.id)
            .with_for_update(key_share=True)
        )
    )


def _by_subscription(session: Session, item_id: UUID) -> list[list[Invoice]]:
    """The drafts of each subscription, oldest period first."""
    grouped: dict[UUID | None, list[Invoice]] = defaultdict(list)
    for draft in _held(session, item_id):
        grouped[draft.subscription_id].append(draft)
    return [
        sorted(drafts, key=lambda each: (each.period_start is None, each.period_start)) for drafts in grouped.values()
    ]


def _let_go(parts: Parts, session: Session, drafts: Sequence[Invoice]) -> int:
    for draft in drafts:
        draft.hold_id = None
    session.flush()
    count_released(session, drafts, now=parts.clock.now(session))
    return len(drafts)


def _take_lines(session: Session, last: Invoice, earlier: Sequence[Invoice], *, kinds: Sequence[str] | None) -> None:
    """Move lines (of these kinds, or all) to the last draft, the older ones first."""
    own = session.scalars(
        select(InvoiceLine).where(InvoiceLine.invoice_id == last.id).order_by(InvoiceLine.position.desc())
    ).all()
    moved: list[InvoiceLine] = []
    for draft in earlier:
        query = select(InvoiceLine).where(InvoiceLine.invoice_id == draft.id).order_by(InvoiceLine.position)
        moved += [line for line in session.scalars(query) if kinds is None or line.kind in kinds]
    for line in own:
        line.position += len(moved)
        session.flush()
    for position, line in enumerate(moved, start=1):
        line.position, line.invoice_id = position, last.id
    session.flush()


def _repoint(session: Session, draft: Invoice, *, to: UUID | None, disposition: PeriodDisposition | None) -> None:
    for period in session.scalars(select(BillingPeriod).where(BillingPeriod.invoice_id == draft.id)):
        period.invoice_id = to
        if disposition is not None:
            period.disposition = disposition
    session.flush()


def _expire(parts: Parts, session: Session, draft: Invoice) -> None:
    """End it as a draft that was never issued; its sums follow the lines that are left on it."""
    left = session.scalars(select(InvoiceLine.id).where(InvoiceLine.invoice_id == draft.id)).first()
    if left is not None:
        resum(parts, session, draft)
    else:
        for name in ("subtotal", "discount", "tax", "total", "credit_applied", "amount_due", "amount_remaining"):
            setattr(draft, f"{name}_minor", 0)
        draft.tax_groups = []
    draft.status, draft.hold_id = InvoiceStatus.EXPIRED, None
    session.flush()
