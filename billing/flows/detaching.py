"""Detaching: the provider is told of methods that were removed here, until it has heard it.

That it must be told is written in the transaction that removes the method. Whoever removed it tells it at once; what
they don't come to, the sweep does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment_method.owe_detachment import note_detachment, owe_detachment
from billing.commands.payment_method.remove import remove_method
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows.in_turn import each_in_turn
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.kernel.status import MethodStatus
from billing.kernel.work import WorkKind
from billing.models import PaymentMethod
from billing.providers.port import Provider
from billing.queries.owed_detachments import detachments_of, due_detachments
from billing.queries.payment_method import customer_ref, method_of_ref, the_method
from billing.queries.profile import lock_profile
from billing.rules.rate import Rank
from billing.validators.payment_method import is_exchanged

NOT_DETACHED = WorkKind.PAYMENT_METHOD_NOT_DETACHED
"""Kind of the work item for a method that the provider still holds after it was removed here."""
AGAIN = timedelta(hours=1)
"""Wall time after which a provider that could not be told is told again."""
MOST = 50
"""Methods that one sweep tells of."""


def adopt_key(method_id: UUID) -> str:
    """The idempotency key of binding a method that was made elsewhere."""
    return f"attach-{method_id}"


def finish_key(method_id: UUID) -> str:
    """The idempotency key of making a method of what the customer has approved."""
    return f"finish-{method_id}"


def detach(parts: Parts, method: PaymentMethod, *, last: bool = True) -> bool:
    """Tell the provider that a removed method is not ours to keep. Safe to repeat; never raises for the provider.

    True unless the provider could not be told. Of a method that was begun it is asked what came of it; where that is
    nothing and it is not the `last` time, the sweep asks once more: whoever began it may be at it still.
    """
    # What the provider says of a method that is not bound yet is kept under the key: asked once more, it has another.
    told = _tell(parts, method, key=f"detach-{method.id}" if method.method_ref else f"detach-{method.id}-{last}")
    if not told.bound and told.error is None and not last:
        return True
    with parts.begin() as session:
        again_at = None if told.error is None else wall_now(session) + AGAIN
        note_detachment(session, method_id=method.id, again_at=again_at, method_ref=told.bound)
        now = parts.clock.now(session)
        if told.error is None:
            close_for(session, kind=NOT_DETACHED, subject_id=method.id, now=now)
            return True
        raise_item(
            session,
            kind=NOT_DETACHED,
            subject_type="payment_method",
            subject_id=method.id,
            summary="A removed payment method is still stored at the provider.",
            safe_actions=["retry", "discard"],
            seller_id=method.seller_id,
            profile_id=method.profile_id,
            error=told.error,
            now=now,
            next_try_at=again_at,
        )
    return False


@dataclass(frozen=True, slots=True)
class _Told:
    bound: str | None = None
    """What the provider held, and now does not."""
    error: str | None = None
    """Why it is not known whether it still holds anything."""


def _tell(parts: Parts, method: PaymentMethod, *, key: str) -> _Told:
    try:
        provider = parts.provider(method.provider_account_id, rank=Rank.ON_SESSION)
        ref = method.method_ref or _made_of(parts, provider, method)
        if ref is not None:
            provider.detach_method(ref, key=key)
            return _Told(bound=ref)
    except ProviderRefused as refused:
        # It is gone there, or was never attached: what was wanted.
        return _Told(bound=method.method_ref, error=refused.code if refused.account_wide else None)
    except (ProviderUnavailable, ProviderUncertain) as unclear:
        return _Told(error=type(unclear).__name__)
    except Refused as refused:
        # Its account has no key here (any more).
        return _Told(error=refused.code)
    return _Told()


def _made_of(parts: Parts, provider: Provider, method: PaymentMethod) -> str | None:
    """The provider's id of what came of a method that was begun and not written down; None where that is nothing.

    What the provider gives another id is asked for under the key by which it was made. Raises the provider's errors.
    """
    if method.setup_ref is not None:
        setup = provider.read_setup(method.setup_ref)
        if setup.status == "succeeded" and setup.method_ref is None:
            setup = provider.finish_setup(method.setup_ref, key=finish_key(method.id))
        return setup.method_ref
    if method.given_ref is None or not is_exchanged(method.given_ref):
        return method.given_ref
    with parts.begin() as session:
        customer = customer_ref(session, profile_id=method.profile_id, provider_account_id=method.provider_account_id)
    if customer is None:
        return None
    key = adopt_key(method.id)
    return provider.attach_method(customer_ref=customer, method_ref=method.given_ref, key=key).method_ref


def sweep(parts: Parts) -> int:
    """Tell of what is due. Returns how many. What a person has discarded is not told again.

    Raises in the end what nobody foresaw; of that one it is told again as of one that could not be told.
    """
    with parts.begin() as session:
        due = due_detachments(session, most=MOST)
    turns = (partial(_take_up, parts, method_id, given_up=given_up) for method_id, given_up in due)
    each_in_turn(turns, failed="the provider was not told of some removed payment methods")
    return len(due)


def _take_up(parts: Parts, method_id: UUID, *, given_up: bool) -> None:
    try:
        with parts.begin() as session:
            method = _owed(session, method_id)
            if method is None:
                return
            if given_up:
                note_detachment(session, method_id=method_id, again_at=None)
            elif method.status == MethodStatus.PENDING:
                method = remove_method(session, method_id=method_id, now=parts.clock.now(session))
        if not given_up:
            detach(parts, method)
    except Exception:
        # Left as it is, it came first at each sweep.
        with parts.begin() as session:
            if _owed(session, method_id) is not None:
                note_detachment(session, method_id=method_id, again_at=wall_now(session) + AGAIN)
        raise


def _owed(session: Session, method_id: UUID) -> PaymentMethod | None:
    """The method, locked; None where it was told of since it was found due, or whoever had begun it came back."""
    method = the_method(session, method_id)
    lock_profile(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    return None if method.detach_due_at is None else method


def detach_all_of(parts: Parts, profile_id: UUID) -> bool:
    """Tell of all that is still to be told of one profile. False where the provider could not be told."""
    with parts.begin() as session:
        owed = detachments_of(session, profile_id)
    told = [detach(parts, method, last=False) for method in owed]
    return all(told)


def detach_setup(parts: Parts, method: PaymentMethod) -> None:
    """A removed method's set-up may have been finished all the same: what came of it is detached. Safe to repeat.

    Raises the provider's errors where the set-up can't be read.
    """
    if method.method_ref is not None or method.setup_ref is None:
        return
    made = _made_of(parts, parts.provider(method.provider_account_id, rank=Rank.ON_SESSION), method)
    if made is not None:
        detach_late(parts, method.id, made)


def detach_late(parts: Parts, method_id: UUID, method_ref: str) -> None:
    """The provider has made `method_ref` of a row that was removed before it was known here; else nothing is done."""
    with parts.begin() as session:
        method = session.get(PaymentMethod, method_id, with_for_update=True)
        if method is None:
            return
        elsewhere = method_of_ref(session, provider_account_id=method.provider_account_id, method_ref=method_ref)
        if method.status != MethodStatus.DETACHED or elsewhere is not None:
            return
        method.method_ref = method_ref
        owe_detachment(session, method=method)
    detach(parts, method)
