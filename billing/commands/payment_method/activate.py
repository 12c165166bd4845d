"""Activate a method: from here on it may be charged. A profile's first one becomes the default."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.payment_method.facts import facts_columns
from billing.commands.payment_method.make_default import put_default
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.moves import require_move
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, Seller
from billing.providers.port import MethodFacts
from billing.queries.payment_method import default_method, is_customer_gone, method_of_ref
from billing.queries.profile import lock_person
from billing.rules.debit import is_debit


def activate_method(
    session: Session,
    *,
    method: PaymentMethod,
    facts: MethodFacts,
    now: datetime,
    mandate_ref: str | None = None,
    mandate_reference: str | None = None,
    as_default: bool = False,
) -> None:
    """Write the display details and make the method chargeable; a repeat changes nothing.

    It becomes the default if it is the first or `as_default`. Raises `Refused`: `payment_method_move_not_allowed` for a
    removed one, `payment_method_known` where the provider's id already belongs to another row,
    `method_of_another_customer` where its own was deleted meanwhile, `profile_erased`.
    """
    lock_person(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    if method.status == MethodStatus.ACTIVE and method.method_ref == facts.method_ref:
        return
    require_move(MethodStatus(method.status), MethodStatus.ACTIVE)
    known = method_of_ref(session, provider_account_id=method.provider_account_id, method_ref=facts.method_ref)
    if known is not None:
        raise Refused(Fault("payment_method", "payment_method_known", "this method was added before; use that one"))
    if is_customer_gone(session, provider_account_id=method.provider_account_id, customer_ref=facts.customer_ref):
        # It was there when the provider was asked; this could never be charged.
        mend = "the provider has deleted its customer meanwhile; begin another"
        raise Refused(Fault("payment_method", "method_of_another_customer", mend))
    first = default_method(session, method.profile_id) is None
    # Of one that was made elsewhere the provider tells only now whether it is an account.
    if method.given_ref is not None and is_debit(facts.kind):
        method.notice_days = session.get_one(Seller, method.seller_id).debit_notice_days
    method.status = MethodStatus.ACTIVE
    method.detach_due_at = None
    method.mandate_ref, method.mandate_reference = mandate_ref, mandate_reference
    for name, value in facts_columns(facts).items():
        setattr(method, name, value)
    session.flush()
    emit(
        session,
        topic=Topic.PAYMENT_METHOD_ADDED,
        object_type="payment_method",
        object_id=method.id,
        seller_id=method.seller_id,
        now=now,
        payload={
            "profile_id": str(method.profile_id),
            "kind": method.kind,
            **({"wallet": method.wallet} if method.wallet else {}),
        },
    )
    if first or as_default:
        put_default(session, method=method, now=now)
