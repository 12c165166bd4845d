"""Detaching: the provider is told of methods that were removed here, until it has heard it.

That it must be told is written in the transaction that removes the method. Whoever removed it tells it at once; what
they don't come to, the sweep does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from billing.commands.payment_method.leave_behind import leave_behind
from billing.commands.payment_method.owe_detachment import note_detachment, owe_detachment
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.kernel.errors import BillingError, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.kernel.status import MethodStatus
from billing.kernel.work import WorkKind
from billing.models import PaymentMethod, Profile
from billing.providers.port import MethodFacts
from billing.queries.owed_detachments import detachments_of, due_detachments
from billing.queries.payment_method import method_of_ref, the_method
from billing.rules.rate import Rank
from billing.validators.payment_method import Consent

NOT_DETACHED = WorkKind.PAYMENT_METHOD_NOT_DETACHED
"""Kind of the work item for a method that the provider still holds after it was removed here."""
AGAIN = timedelta(hours=1)
"""Wall time after which a provider that could not be told is told again."""
MOST = 50
"""Methods that one sweep tells of."""


def detach(parts: Parts, method: PaymentMethod) -> None:
    """Tell the provider that a removed method is not ours to keep. Safe to repeat; never raises for the provider."""
    if method.method_ref is None:
        return
    error = _tell(parts, method)
    with parts.begin() as session:
        again_at = None if error is None else wall_now(session) + AGAIN
        note_detachment(session, method_id=method.id, again_at=again_at)
        now = parts.clock.now(session)
        if error is None:
            close_for(session, kind=NOT_DETACHED, subject_id=method.id, now=now)
            return
        raise_item(
            session,
            kind=NOT_DETACHED,
            subject_type="payment_method",
            subject_id=method.id,
            summary="A removed payment method is still stored at the provider.",
            safe_actions=["retry", "discard"],
            seller_id=method.seller_id,
            profile_id=method.profile_id,
            error=error,
            now=now,
            next_try_at=again_at,
        )


def _tell(parts: Parts, method: PaymentMethod) -> str | None:
    """None once the provider holds it no more; else why that is not known."""
    assert method.method_ref is not None
    try:
        provider = parts.provider(method.provider_account_id, rank=Rank.ON_SESSION)
        provider.detach_method(method.method_ref, key=f"detach-{method.id}")
    except ProviderRefused as refused:
        # It is gone there, or was never attached: what was wanted.
        return refused.code if refused.account_wide else None
    except (ProviderUnavailable, ProviderUncertain) as unclear:
        return type(unclear).__name__
    except Refused as refused:
        # Its account has no key here (any more).
        return refused.code
    return None


def sweep(parts: Parts) -> int:
    """Tell of what is due. Returns how many. What a person has discarded is not told again."""
    with parts.begin() as session:
        due = due_detachments(session, most=MOST)
    for method_id, given_up in due:
        with parts.begin() as session:
            method = the_method(session, method_id)
            if given_up:
                note_detachment(session, method_id=method_id, again_at=None)
        if not given_up:
            detach(parts, method)
    return len(due)


def detach_all_of(parts: Parts, profile_id: UUID) -> bool:
    """Tell of all that is still to be told of one profile. False where the provider could not be told."""
    with parts.begin() as session:
        owed = detachments_of(session, profile_id)
    for method in owed:
        detach(parts, method)
    with parts.begin() as session:
        return not detachments_of(session, profile_id)


def detach_setup(parts: Parts, method: PaymentMethod) -> None:
    """A removed method's set-up may have been finished all the same: what came of it is detached. Safe to repeat.

    Raises the provider's errors where the set-up can't be read.
    """
    if method.method_ref is not None or method.setup_ref is None:
        return
    setup = parts.provider(method.provider_account_id, rank=Rank.ON_SESSION).read_setup(method.setup_ref)
    if setup.method_ref is not None:
        detach_late(parts, method.id, setup.method_ref)


def detach_late(parts: Parts, method_id: UUID, method_ref: str) -> None:
    """The provider has made `method_ref` of a row that was removed before it was known here; else nothing is done."""
    with parts.begin() as session:
        method = session.get_one(PaymentMethod, method_id, with_for_update=True)
        elsewhere = method_of_ref(session, provider_account_id=method.provider_account_id, method_ref=method_ref)
        if method.status != MethodStatus.DETACHED or elsewhere is not None:
            return
        method.method_ref = method_ref
        owe_detachment(session, method=method)
    detach(parts, method)


@contextmanager
def detached_if_forgotten(
    parts: Parts, *, profile_id: UUID, provider_account_id: UUID, facts: MethodFacts, consent: Consent
) -> Iterator[None]:
    """What the provider has bound is written down in the block.

    Where that fails and its customer was forgotten meanwhile, the provider is told that it is not ours. What was raised
    goes on.
    """
    try:
        yield
    except BillingError:
        with parts.begin() as session:
            profile = session.get_one(Profile, profile_id)
            if profile.erased_at is None:
                raise
            method = leave_behind(
                session, profile=profile, provider_account_id=provider_account_id, facts=facts, consent=consent
            )
        detach(parts, method)
        raise
