"""Refresh a method: its bank or its owner has given the provider new data of the card."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.payment_method.facts import facts_columns
from billing.commands.slice.cut import cut_charges
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod
from billing.providers.port import MethodFacts
from billing.queries.profile import lock_profile
from billing.rules.dunning import DeclineClass, classify

_WAITING = text(
    """
    SELECT i.id, last.decline_code, last.advice_code
    FROM billing.invoice i
    CROSS JOIN LATERAL (
        SELECT p.decline_code, p.advice_code, p.status, p.payment_method_id FROM billing.payment p
        WHERE p.invoice_id = i.id ORDER BY p.attempt_no DESC LIMIT 1) AS last
    WHERE i.profile_id = :profile AND i.status = 'open' AND i.collection = 'automatic' AND i.waits_for_method
      AND last.status = 'declined' AND last.payment_method_id = :method
    ORDER BY i.issued_at, i.id
    """
)
_TRY_NOW = text(
    """
    UPDATE billing.invoice
    SET next_attempt_at = :now, extra_try = TRUE, waits_for_method = FALSE, falls_back_to = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = ANY(:ids)
    """
)


def refresh_method(session: Session, *, method_id: UUID, facts: MethodFacts, now: datetime) -> None:
    """Write the new display details; nothing is done where there are none.

    Invoices that wait because the card's data were refused get one try with the new data, outside the schedule.
    """
    method = session.get_one(PaymentMethod, method_id)
    lock_profile(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    changed = {name: value for name, value in facts_columns(facts).items() if getattr(method, name) != value}
    if method.status != MethodStatus.ACTIVE or not changed:
        return
    for name, value in changed.items():
        setattr(method, name, value)
    session.flush()
    if method.is_default:
        _try_again(session, method, now)
    emit(
        session,
        topic=Topic.PAYMENT_METHOD_UPDATED,
        object_type="payment_method",
        object_id=method.id,
        seller_id=method.seller_id,
        now=now,
        payload={"profile_id": str(method.profile_id), "is_default": method.is_default},
    )


def _try_again(session: Session, method: PaymentMethod, now: datetime) -> None:
    waiting = session.execute(_WAITING, {"profile": method.profile_id, "method": method.id}).all()
    ids = [row.id for row in waiting if classify(row.decline_code, row.advice_code) is DeclineClass.DATA]
    if ids:
        session.execute(_TRY_NOW, {"ids": ids, "now": now})
        cut_charges(session, invoices=ids)
