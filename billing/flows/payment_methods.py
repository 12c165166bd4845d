"""Payment methods: set up with the provider, adopted, chosen, removed. No transaction is open across a call.

Every step may be repeated: rows come before calls, and keys follow from our ids, so a repeat finds the same customer,
the same set-up and the same method. Card data never reaches us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment_method.activate import activate_method
from billing.commands.payment_method.begin import begin_method
from billing.commands.payment_method.begin_adoption import begin_adoption
from billing.commands.payment_method.drop import drop_method
from billing.commands.payment_method.make_default import make_default as put_mark
from billing.commands.payment_method.note_setup import note_customer, note_setup
from billing.commands.payment_method.offered import require_offered
from billing.commands.payment_method.remove import remove_method
from billing.flows.detaching import adopt_key, detach, detach_late, detach_setup, finish_key
from billing.flows.once import Once, answered
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, Profile
from billing.providers.port import MandateFacts, MethodFacts, Provider
from billing.queries.on_session import tries_of_late
from billing.queries.payment_method import customer_ref as known_customer
from billing.queries.payment_method import customers_deleted, method_of_ref, the_method
from billing.queries.profile import lock_person
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.debit import is_debit
from billing.rules.rate import Rank
from billing.validators.payment_method import Consent, check_method_ref, is_exchanged

_SET_UP = "succeeded"
FORGOTTEN = {"resource_missing", "resource_not_found", "invalid_resource_id", "token_id_not_found"}
"""What providers call an object that is not there."""
_NO_MANDATE = FORGOTTEN | {"not_supported"}


@dataclass(frozen=True, slots=True)
class MethodStarted:
    """What a page or the host hands to the provider's own form. The secret belongs to this one set-up."""

    method_id: UUID
    provider: str
    setup_ref: str
    client_secret: str | None = field(repr=False)
    """None where the provider has no form on our page."""
    approve_url: str | None = None
    """Where the customer goes to agree, with a provider that has no form on our page."""


def add(
    parts: Parts,
    *,
    profile_id: UUID,
    provider_account_id: UUID,
    consent: Consent,
    kind: str | None = None,
    method_id: UUID | None = None,
    most_of_late: int | None = None,
    once: Callable[[MethodStarted], Once] | None = None,
) -> MethodStarted:
    """Begin a method: the customer is made at the provider if this is the first one, then the set-up is begun.

    `kind`: of `kernel.kinds`; without one, what the seller offers first. Repeated with the same `method_id` (within the
    provider's key life, 20 h) it answers with the same set-up. `once`: the request whose answer tells of what was
    begun, kept in the transaction that notes it. Raises `Refused` (see `begin_method`; `method_kind_not_offered`,
    `payment_method_not_pending`; `too_many_tries` where it were more than `most_of_late` of them, with attempts at our
    page, within an hour), and the provider's errors: then repeat it.
    """
    method_id = method_id or new_id()
    with parts.begin() as session:
        now = parts.clock.now(session)
        method = begin_method(
            session,
            method_id=method_id,
            profile_id=profile_id,
            provider_account_id=provider_account_id,
            kind=require_offered(session, profile_id=profile_id, provider_account_id=provider_account_id, kind=kind),
            consent=consent,
            now=now,
        )
        # The customer is locked: who begins several at once is counted.
        if most_of_late is not None and tries_of_late(session, profile_id) > most_of_late:
            raise Refused(Fault("payment_method", "too_many_tries", "wait an hour"))
        asked_for = method.kind
        if method.status != MethodStatus.PENDING:
            raise Refused(Fault("payment_method", "payment_method_not_pending", "it is set up already; begin another"))
    customer = ensure_customer(parts, profile_id=profile_id, provider_account_id=provider_account_id)
    provider = parts.provider(provider_account_id, rank=Rank.ON_SESSION)
    key, back = f"setup-{method_id}", return_address(parts)
    setup = provider.begin_setup(customer_ref=customer, key=key, kind=asked_for, return_url=back)
    started = MethodStarted(method_id, provider.name, setup.setup_ref, setup.client_secret, setup.approve_url)
    with answered(parts, once and once(started)) as session:
        note_setup(session, method=the_method(session, method_id), setup_ref=setup.setup_ref)
    return started


def return_address(parts: Parts) -> str | None:
    """Where a customer comes back to from the provider's pages: it says nothing, and the same to everybody."""
    public = parts.settings.billing_public_url
    return f"{public.rstrip('/')}/pay-return" if public else None


def ensure_customer(parts: Parts, *, profile_id: UUID, provider_account_id: UUID) -> str:
    """The provider's id of the profile; made, under the anonymous id alone, where there is none yet."""
    with parts.begin() as session:
        ref = known_customer(session, profile_id=profile_id, provider_account_id=provider_account_id)
        anonymous_id = session.get_one(Profile, profile_id).anonymous_id
        deleted = customers_deleted(session, profile_id=profile_id, provider_account_id=provider_account_id)
    if ref is not None:
        return ref
    key = customer_key(anonymous_id, provider_account_id, deleted=deleted)
    ref = parts.provider(provider_account_id, rank=Rank.ON_SESSION).create_customer(anonymous_id=anonymous_id, key=key)
    with parts.begin() as session:
        profile = session.get_one(Profile, profile_id)
        note_customer(session, profile=profile, provider_account_id=provider_account_id, customer_ref=ref)
    return ref


def customer_key(anonymous_id: UUID, provider_account_id: UUID, *, deleted: int = 0) -> str:
    """The idempotency key of a customer's creation: one a profile and account, whoever asks.

    After `deleted` ones it is another: the same key would bring back the one that is no more.
    """
    return f"customer-{anonymous_id}-{provider_account_id}" + (f"-{deleted}" if deleted else "")


def complete(parts: Parts, *, method_id: UUID, once: Once | None = None) -> PaymentMethod:
    """Activate a method whose set-up the customer has finished with the provider; a repeat returns it as it is.

    Where it was removed before they finished, or meanwhile, the provider is told that it is not ours.
    `once`: the request that is answered in the transaction that activates it, or finds it active.

    Raises `Refused`: `payment_method_not_found`, `setup_not_begun`, `setup_not_complete`, `method_of_another_customer`.
    """
    with parts.begin() as session:
        method = the_method(session, method_id)
        customer = known_customer(session, profile_id=method.profile_id, provider_account_id=method.provider_account_id)
    if method.status == MethodStatus.DETACHED:
        detach_setup(parts, method)
    if method.status != MethodStatus.PENDING:
        with answered(parts, once) as session:
            return the_method(session, method_id)
    if method.setup_ref is None or customer is None:
        raise Refused(Fault("payment_method", "setup_not_begun", "begin the set-up again, with this id"))
    provider = parts.provider(method.provider_account_id, rank=Rank.ON_SESSION)
    setup = provider.finish_setup(method.setup_ref, key=finish_key(method_id))
    if setup.status != _SET_UP or setup.method_ref is None:
        mend = f"the set-up is {setup.status}; the customer completes it on the provider's form"
        raise Refused(Fault("payment_method", "setup_not_complete", mend))
    facts = provider.read_method(setup.method_ref)
    _require_customer(facts, customer, field="payment_method")
    named = provider.read_mandate(setup.mandate_ref).reference if setup.mandate_ref and is_debit(facts.kind) else None
    try:
        with answered(parts, once) as session:
            method = the_method(session, method_id)
            now = parts.clock.now(session)
            activate_method(
                session, method=method, facts=facts, now=now, mandate_ref=setup.mandate_ref, mandate_reference=named
            )
            after_commit(session, COLLECTIONS_TICK)
    except Refused:
        detach_late(parts, method_id, facts.method_ref)
        raise
    return method


def adopt(
    parts: Parts,
    *,
    profile_id: UUID,
    provider_account_id: UUID,
    method_ref: str,
    consent: Consent,
    mandate_ref: str | None = None,
    method_id: UUID | None = None,
    as_default: bool = False,
    once: Callable[[UUID], Once] | None = None,
) -> PaymentMethod:
    """Bind a method made elsewhere (an import, a test name such as `pm_card_visa`) to the profile's customer.

    `once`: the request, by the id of the method, that is answered in the transaction that activates it. A repeat finds
    the same method, by `method_id` or, without one, by profile and `method_ref`. `mandate_ref`: by which it is debited.
    Raises `Refused` (see `begin_method`; `not_a_method_id`, `method_unknown`, `method_of_another_customer`;
    `mandate_unknown`, `mandate_of_another_method`), and the provider's errors: `ProviderRefused` where it won't have
    it for another reason.
    """
    check_method_ref(method_ref)
    if mandate_ref is not None:
        check_method_ref(mandate_ref, field="mandate_ref")
    with parts.begin() as session:
        begun, is_new = begin_adoption(
            session,
            profile_id=profile_id,
            provider_account_id=provider_account_id,
            method_ref=method_ref,
            method_id=method_id,
            consent=consent,
            now=parts.clock.now(session),
        )
    provider = parts.provider(provider_account_id, rank=Rank.ON_SESSION)
    try:
        mandate = _mandate(provider, mandate_ref) if mandate_ref is not None else None
        facts = _bound(parts, begun, method_ref)
    except (Refused, ProviderRefused):
        # A refused repeat says nothing of an earlier sending, whose answer may have been lost.
        if is_new:
            with parts.begin() as session:
                drop_method(session, begun.id)
        raise
    named = _reference_of(mandate, facts) if mandate is not None else None
    try:
        with parts.begin() as session:
            now = parts.clock.now(session)
            lock_person(session, profile_id)
            method = _written(session, begun, facts)
            asked = once(method.id) if once is not None else None
            if asked is not None:
                asked.claim(session)
            activate_method(
                session,
                method=method,
                facts=facts,
                now=now,
                mandate_ref=mandate_ref,
                mandate_reference=named,
                as_default=as_default,
            )
            after_commit(session, COLLECTIONS_TICK)
            if asked is not None:
                asked.keep(session)
    except Refused:
        detach_late(parts, begun.id, facts.method_ref)
        raise
    return method


def _bound(parts: Parts, begun: PaymentMethod, method_ref: str) -> MethodFacts:
    """The method as the provider has bound it to the profile's customer."""
    account_id = begun.provider_account_id
    customer = ensure_customer(parts, profile_id=begun.profile_id, provider_account_id=account_id)
    provider = parts.provider(account_id, rank=Rank.ON_SESSION)
    if begun.method_ref is not None and is_exchanged(method_ref):
        # Handed over again, after the life of its key, it would be made another.
        facts = provider.read_method(begun.method_ref)
    else:
        try:
            facts = provider.attach_method(customer_ref=customer, method_ref=method_ref, key=adopt_key(begun.id))
        except ProviderRefused as refused:
            # What is exchanged for a method can't be read itself, and may be refused for many a reason.
            if not refused.account_wide and (not is_exchanged(method_ref) or refused.code in FORGOTTEN):
                _require_usable(provider, method_ref, customer)
            raise
    _require_customer(facts, customer, field="method_ref")
    return facts


def _require_usable(provider: Provider, method_ref: str, customer: str) -> None:
    """Raise `Refused` where the method itself is why it was not bound: else it may be the customer, whom we named.

    Where it can't be read, what was refused says as much as there is to say.
    """
    try:
        facts = provider.read_method(method_ref)
    except ProviderUnavailable:
        return
    except ProviderRefused as refused:
        if refused.code not in FORGOTTEN:
            return
        mend = "the provider keeps no such method at this account (any more); give the id that it has there"
        raise Refused(Fault("method_ref", "method_unknown", mend)) from None
    if facts.customer_ref is not None:
        _require_customer(facts, customer, field="method_ref")


def _written(session: Session, begun: PaymentMethod, facts: MethodFacts) -> PaymentMethod:
    """The row of the method, which may have come another way meanwhile: then nothing is left of what was begun."""
    there = method_of_ref(session, provider_account_id=begun.provider_account_id, method_ref=facts.method_ref)
    if there is None or there.id == begun.id or there.profile_id != begun.profile_id:
        return the_method(session, begun.id)
    drop_method(session, begun.id)
    return there


def attach_key(customer_ref: str, method_ref: str) -> str:
    """The idempotency key of binding a method to a customer."""
    return f"attach-{customer_ref}-{method_ref}"


def make_default(
    parts: Parts, *, method_id: UUID, expected_version: int | None = None, once: Once | None = None
) -> PaymentMethod:
    """Make it the default; open automatic invoices are tried at once. Raises as the command does."""
    with answered(parts, once) as session:
        now = parts.clock.now(session)
        method = put_mark(session, method_id=method_id, now=now, expected_version=expected_version)
        after_commit(session, COLLECTIONS_TICK)
    return method


def remove(parts: Parts, *, method_id: UUID, expected_version: int | None = None) -> PaymentMethod:
    """Remove it here, then at the provider; a repeat asks the provider again. Raises as the command does.

    Where the provider can't be asked now, the method is removed all the same, and a work item asks for another try.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        method = remove_method(session, method_id=method_id, now=now, expected_version=expected_version)
        after_commit(session, COLLECTIONS_TICK)
    detach(parts, method, last=False)
    return method


def _mandate(provider: Provider, mandate_ref: str) -> MandateFacts:
    """Read before the method is bound: whoever names a wrong one has bound nothing."""
    try:
        return provider.read_mandate(mandate_ref)
    except ProviderRefused as refused:
        if refused.code not in _NO_MANDATE:
            raise
        mend = "the provider keeps no such mandate at this account; give the method's, by its id there, or leave it out"
        raise Refused(Fault("mandate", "mandate_unknown", mend)) from None


def _reference_of(mandate: MandateFacts, facts: MethodFacts) -> str | None:
    """The reference of a mandate that is in force and of this very method."""
    if mandate.method_ref != facts.method_ref or mandate.status != "active":
        raise Refused(Fault("mandate", "mandate_of_another_method", "give the active mandate of this method"))
    return mandate.reference


def _require_customer(facts: MethodFacts, customer: str, *, field: str) -> None:
    if facts.customer_ref != customer:
        mend = "at the provider it belongs to another customer, or to none"
        raise Refused(Fault(field, "method_of_another_customer", mend))
