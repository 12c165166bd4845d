"""Events of payment methods: a card was renewed at the provider, or taken away. The method as re-read decides."""

from __future__ import annotations

from billing.commands.payment_method.lose import lose_methods
from billing.commands.payment_method.refresh import refresh_method
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.flows.payment_methods import FORGOTTEN
from billing.kernel.errors import ProviderRefused
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.providers.port import MethodFacts, Provider
from billing.queries.payment_method import customer_ref, is_of_forgotten, method_of_ref
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.rate import Rank

_ATTACHED = "payment_method.attached"


def payment_method(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note the card's new data, and try what waited for them; one that was taken from its customer is lost.

    One that is not ours is kept and ignored: what was attached without us has nobody's consent to be charged. But what
    is at a customer who was forgotten is detached: whoever adopted it died before they could write it down.
    """
    account_id = claimed.provider_account_id
    with parts.begin() as session:
        ours = method_of_ref(session, provider_account_id=account_id, method_ref=claimed.object_ref)
    if ours is None:
        return _not_ours(parts, claimed)
    facts = _read(parts.provider(account_id, rank=Rank.REREADS), claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        owner = customer_ref(session, profile_id=ours.profile_id, provider_account_id=account_id)
        if facts is not None and facts.customer_ref == owner:
            refresh_method(session, method_id=ours.id, facts=facts, now=now)
        elif lose_methods(session, profile_id=ours.profile_id, method_ids=[ours.id], now=now):
            after_commit(session, COLLECTIONS_TICK)
        close(session, claimed, status=EventStatus.PROCESSED, now=now)
    return EventStatus.PROCESSED


def _not_ours(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Raises the provider's errors where it can't be asked or told: the event is tried again."""
    account_id, gone = claimed.provider_account_id, False
    provider = parts.provider(account_id, rank=Rank.REREADS)
    facts = _read(provider, claimed.object_ref) if claimed.type == _ATTACHED else None
    if facts is not None and facts.customer_ref is not None:
        with parts.begin() as session:
            gone = is_of_forgotten(session, provider_account_id=account_id, customer_ref=facts.customer_ref)
    if gone:
        provider.detach_method(claimed.object_ref, key=f"detach-{claimed.object_ref}")
    status, error = (EventStatus.PROCESSED, None) if gone else (EventStatus.IGNORED, "no method of ours")
    with parts.begin() as session:
        close(session, claimed, status=status, now=parts.clock.now(session), error=error)
    return status


def _read(provider: Provider, method_ref: str) -> MethodFacts | None:
    """The method as it is now; None where the provider has forgotten it: PayPal does, once it was removed."""
    try:
        return provider.read_method(method_ref)
    except ProviderRefused as refused:
        if refused.code not in FORGOTTEN:
            raise
    return None
