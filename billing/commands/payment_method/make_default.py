"""Make a method the default, and with that the profile's open automatic invoices due at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.slice.cut import cut_charges
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import OPEN_PAYMENT, MethodStatus
from billing.models import PaymentMethod
from billing.queries.payment_method import default_method, the_method
from billing.queries.profile import lock_profile

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

_TRY_NOW = text(
    f"""
    UPDATE billing.invoice i
    SET next_attempt_at = :now, extra_try = TRUE, waits_for_method = FALSE, falls_back_to = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE i.profile_id = :profile AND i.collection = 'automatic'
      AND (i.status = 'open' OR (i.status = 'draft' AND i.review_until IS NULL))
      AND NOT EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status IN ({_OPEN}))
    RETURNING i.id, coalesce(i.issued_at, i.created_at) AS issued_at
    """  # noqa: S608 (statuses are our own constants)
)


def make_default(
    session: Session, *, method_id: UUID, now: datetime, expected_version: int | None = None
) -> PaymentMethod:
    """Make an active method the default; a repeat changes nothing.

    Raises `Refused`: `payment_method_not_found`, `payment_method_not_active`; `Stale`.
    """
    method = the_method(session, method_id)
    lock_profile(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    require_version(method, expected_version)
    if method.status != MethodStatus.ACTIVE:
        raise Refused(Fault("payment_method", "payment_method_not_active", "complete its set-up, or choose another"))
    if not method.is_default:
        put_default(session, method=method, now=now)
    return method


def put_default(session: Session, *, method: PaymentMethod, now: datetime) -> None:
    """Move the mark to an active `method` of a locked profile; invoices without an attempt under way are tried now,
    oldest first.

    Such a try is outside the dunning schedule, which goes on counting (the scenario contract, rule 11).
    """
    before = default_method(session, method.profile_id)
    if before is not None:
        before.is_default = False
        # The unique index is checked row by row: the old mark goes before the new one comes.
        session.flush()
    method.is_default = True
    session.flush()
    due = session.execute(_TRY_NOW, {"profile": method.profile_id, "now": now}).all()
    cut_charges(session, invoices=[row.id for row in sorted(due, key=lambda row: (row.issued_at, row.id))])
    emit(
        session,
        topic=Topic.PAYMENT_METHOD_UPDATED,
        object_type="payment_method",
        object_id=method.id,
        seller_id=method.seller_id,
        now=now,
        payload={"profile_id": str(method.profile_id), "is_default": True},
    )
