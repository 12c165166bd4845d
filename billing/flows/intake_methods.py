"""Bringing payment methods along: customers and methods at the provider, before any row of the intake is written.

Keys follow from the seller's code, the account and the method, so a repeat, also after a crash or a rotation of the
master key, finds what the first run made (within the provider's key life). Calls run concurrently from a bounded pool.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from billing.flows.intake_input import Given, IntakeRefused, LineFault, NewCustomer
from billing.flows.parts import Parts
from billing.flows.payment_methods import attach_key, customer_key
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain
from billing.privacy.keyring import Keyring
from billing.providers.port import MethodFacts, Provider
from billing.rules.rate import Rank
from billing.validators.payment_method import is_exchanged

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Brought:
    """What the provider has for a new customer."""

    customer_ref: str
    facts: MethodFacts | None
    account_id: UUID
    """Of the provider account."""


BroughtBy = dict[tuple[str, str], Brought]
"""By seller code and account id."""


def anonymous_id(key: bytes, *, seller: str, account_id: str) -> UUID:
    """The anonymous id of an account that is taken in: the same for every run, a secret without the intake's key."""
    digest = hmac.digest(key, f"{seller}\0{account_id}".encode(), "sha256")
    # Version 8 (RFC 9562), by hand: Python's own check of versions knows it from 3.14 only.
    marked = int.from_bytes(digest[:16]) & ~(0xF << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return UUID(int=marked)


def anonymous_ids(keyring: Keyring, key: bytes | None, *, seller: str, account_id: str) -> list[UUID]:
    """All that it may have been taken in by. Before there was a key of the intake, they followed from a master key."""
    keys = (*((key,) if key else ()), *keyring.derive_all("anonymous ids of an intake"))
    return [anonymous_id(each, seller=seller, account_id=account_id) for each in keys]


def bring(
    parts: Parts,
    customers: Sequence[Given[NewCustomer]],
    *,
    key: bytes,
    accounts: Mapping[str, UUID],
    progress: Callable[[int], None],
) -> BroughtBy:
    """Make sure of each customer and method at their provider; `accounts` has our row of each by its name.

    `key`: the intake's, from which anonymous ids follow.

    Raises `IntakeRefused` with every method that the provider refused; `ProviderUnavailable` where it can't be reached
    (`ProviderUncertain` where an answer was lost and the repeats brought none): run the same file again.
    """
    providers = {name: parts.provider(id_, rank=Rank.CHARGES) for name, id_ in accounts.items()}
    faults: list[LineFault] = []
    brought: BroughtBy = {}

    def one(given: Given[NewCustomer]) -> None:
        account, name = (given.seller, given.value.profile.account_id), given.value.provider
        try:
            brought[account] = _persist(parts, lambda: _bring_one(providers[name], accounts[name], given, key))
        except ProviderRefused as refused:
            if refused.account_wide:
                raise
            faults.append(_refused(given, refused.code))
        except _OfAnother:
            faults.append(_refused(given, "method_of_another_customer"))
        progress(1)

    with ThreadPoolExecutor(parts.settings.billing_charges_in_flight, thread_name_prefix="intake") as pool:
        running = [pool.submit(one, given) for given in customers]
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        pool.shutdown(wait=True, cancel_futures=True)
    for future in done:
        future.result()
    if faults:
        raise IntakeRefused(faults)
    return brought


class _OfAnother(Exception):
    """The method belongs to another customer of the provider."""


def _refused(given: Given[NewCustomer], code: str) -> LineFault:
    name = "provider_payment_method_id" if given.value.method_ref else "provider_customer_id"
    mend = f"the provider will not have it ({code}); give another, or leave it out"
    return given.fault(name, "refused_by_provider", mend)


def _persist(parts: Parts, call: Callable[[], Brought]) -> Brought:
    """Repeat under the same keys while the provider is away or its answer was lost."""
    for back_off in parts.settings.back_off_s[:_TRIES]:
        try:
            return call()
        except (ProviderUnavailable, ProviderUncertain) as unclear:
            wish = unclear.retry_after_s if isinstance(unclear, ProviderUnavailable) else None
            time.sleep(wish or back_off)
    return call()


def _bring_one(provider: Provider, account_id: UUID, given: Given[NewCustomer], key: bytes) -> Brought:
    new = given.value
    customer = new.customer_ref
    if customer is None:
        anonymous = anonymous_id(key, seller=given.seller, account_id=new.profile.account_id)
        customer = provider.create_customer(anonymous_id=anonymous, key=customer_key(anonymous, account_id))
    if new.method_ref is None:
        return Brought(customer, None, account_id)
    # What is exchanged for a method can't be read itself.
    if new.customer_ref is not None and not is_exchanged(new.method_ref):
        facts = provider.read_method(new.method_ref)
        if facts.customer_ref == customer:
            return Brought(customer, facts, account_id)
        if facts.customer_ref is not None:
            raise _OfAnother
    facts = provider.attach_method(
        customer_ref=customer, method_ref=new.method_ref, key=attach_key(customer, new.method_ref)
    )
    return Brought(customer, facts, account_id)
