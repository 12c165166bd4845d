"""Note a difference with its work item, or count it once more on the open one of the same object."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import Difference
from billing.queries.reconciling import Found

ACTIONS: dict[WorkKind, tuple[str, tuple[str, ...]]] = {
    WorkKind.CHARGE_WITHOUT_ATTEMPT: (
        "The provider moved money for an invoice by no attempt of ours.",
        ("adopt", "park"),
    ),
    WorkKind.CHARGE_OF_LOST_INVOICE: (
        "The provider moved money for an invoice that this database has lost; the customer is not charged meanwhile.",
        ("adopt", "park"),
    ),
    WorkKind.CHARGE_UNEXPLAINED: (
        "The provider charged a customer of ours, and nobody knows for what.",
        ("adopt", "park", "discard"),
    ),
    WorkKind.CHARGE_DIFFERS: ("A charge is not what its attempt says.", ("reread", "park")),
    WorkKind.ATTEMPT_WITHOUT_CHARGE: (
        "An attempt succeeded whose charge the provider does not have.",
        ("reread", "park"),
    ),
    WorkKind.FEE_MISSING: ("A charge has no balance transaction a day after it was made.", ("reread", "park")),
    WorkKind.MOVEMENT_DIFFERS: ("The provider booked another amount than it charged.", ("reread", "park")),
    WorkKind.REFUND_WITHOUT_RECORD: (
        "The provider refunded a payment by no order of ours.",
        ("reread", "park", "discard"),
    ),
    WorkKind.REFUND_DIFFERS: ("A refund is not what our row says.", ("reread", "park")),
    WorkKind.DISPUTE_WITHOUT_RECORD: (
        "The provider has a dispute of a payment that we could not take over.",
        ("reread", "park", "discard"),
    ),
    WorkKind.DISPUTE_DIFFERS: ("A dispute is not what our row says.", ("reread", "park")),
    WorkKind.DISPUTE_MISSING: ("We have a dispute that the provider does not have.", ("reread", "park")),
    WorkKind.REFUND_MISSING: ("A refund succeeded that the provider does not have.", ("reread", "park")),
}
"""By kind: what it is in billing words, and what may safely be done."""

_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended('billing.difference/' || :account, 0))")
"""Of an account: who still compares after their lease, and who has taken it up, may find the same."""


def note_difference(session: Session, found: Found, *, provider_account_id: UUID, now: datetime) -> None:
    """Write it, at business time `now`. Safe to repeat, and at once: one open difference an object and kind."""
    session.execute(_ONE_BY_ONE, {"account": str(provider_account_id)})
    known = session.scalars(
        select(Difference)
        .where(
            Difference.provider_account_id == provider_account_id,
            Difference.kind == found.kind,
            Difference.object_ref == found.object_ref,
            Difference.resolved_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    id_ = known.id if known else new_id()
    kind = WorkKind(found.kind)
    summary, actions = ACTIONS[kind]
    item = raise_item(
        session,
        kind=kind,
        subject_type="difference",
        subject_id=id_,
        seller_id=found.seller_id,
        profile_id=found.profile_id,
        amount_minor=found.amount_minor,
        currency=found.currency,
        summary=summary,
        error=found.detail,
        safe_actions=actions,
        now=now,
    )
    if known is not None:
        known.detail, known.work_item_id = found.detail, item.id
        known.amount_minor, known.currency = found.amount_minor, found.currency
        session.flush()
        return
    difference = Difference(
        id=id_,
        provider_account_id=provider_account_id,
        kind=found.kind,
        object_ref=found.object_ref,
        intent_ref=found.intent_ref,
        seller_id=found.seller_id,
        profile_id=found.profile_id,
        invoice_id=found.invoice_id,
        amount_minor=found.amount_minor,
        currency=found.currency,
        detail=found.detail,
        work_item_id=item.id,
    )
    session.add(difference)
    session.flush()
