"""Events of payment methods: a card was renewed at the provider, or taken away. The method as re-read decides."""

from __future__ import annotations

from billing.commands.payment_method.lose import lose_methods
from billing.commands.payment_method.refresh import refresh_method
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderRefused
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EventStatus
from billing.providers.port import MethodFacts, Provider
from billing.queries.payment_method import customer_ref, method_of_ref
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.rate import Rank

_FORGOTTEN = {"resource_missing", "resource_not_found", "invalid_resource_id"}
"""What providers call an object that is not there."""


def payment_method(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note the card's new data, and try what waited for them; one that was taken from its customer is lost.

    One that is not ours is kept and ignored: what was attached without us has nobody's consent to be charged.
    """
    account_id = claimed.provider_account_id
    with parts.begin() as session:
        ours = method_of_ref(session, provider_account_id=account_id, method_ref=claimed.object_ref)
        if ours is None:
            close(session, claimed, status=EventStatus.IGNORED, now=parts.clock.now(session), error="no method of ours")
            return EventStatus.IGNORED
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


def _read(provider: Provider, method_ref: str) -> MethodFacts | None:
    """The method as it is now; None where the provider has forgotten it: PayPal does, once it was removed."""
    try:
        return provider.read_method(method_ref)
    except ProviderRefused as refused:
        if refused.code not in _FORGOTTEN:
            raise
    return None
