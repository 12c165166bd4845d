"""Metered: the one way from a flow to a provider. Each call takes a permit first, and tells how the line was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from billing.flows.permits import Permit, Permits
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Reach
from billing.providers.port import (
    PAGE,
    AccountFacts,
    ChargeFacts,
    ChargeOutcome,
    ChargeRequest,
    EventFacts,
    IntentFacts,
    MethodFacts,
    Provider,
    RefundFacts,
    SetupFacts,
    SetupStarted,
)
from billing.rules.rate import Rank

T = TypeVar("T")


class Metered(Provider):
    """A provider account for callers of one rank. Beside the port's errors each call may raise `NoPermit`.

    Operations are named as the provider counts them: Stripe's limits are of the account and of each named operation.
    """

    def __init__(self, provider: Provider, permits: Permits, rank: Rank) -> None:
        self._provider, self.permits, self._rank = provider, permits, rank
        self.name = provider.name

    def account(self) -> AccountFacts:
        return self._ask("account.read", self._provider.account)

    def create_customer(self, *, anonymous_id: UUID, key: str) -> str:
        return self._ask("customers.create", lambda: self._provider.create_customer(anonymous_id=anonymous_id, key=key))

    def begin_setup(self, *, customer_ref: str, key: str) -> SetupStarted:
        return self._ask("setup_intents.create", lambda: self._provider.begin_setup(customer_ref=customer_ref, key=key))

    def read_setup(self, setup_ref: str) -> SetupFacts:
        return self._ask("setup_intents.read", lambda: self._provider.read_setup(setup_ref))

    def attach_method(self, *, customer_ref: str, method_ref: str, key: str) -> MethodFacts:
        return self._ask(
            "payment_methods.attach",
            lambda: self._provider.attach_method(customer_ref=customer_ref, method_ref=method_ref, key=key),
        )

    def read_method(self, method_ref: str) -> MethodFacts:
        return self._ask("payment_methods.read", lambda: self._provider.read_method(method_ref))

    def detach_method(self, method_ref: str, *, key: str) -> None:
        return self._ask("payment_methods.detach", lambda: self._provider.detach_method(method_ref, key=key))

    def charge(
        self, request: ChargeRequest, *, key: str, key_age_s: float, permit: Permit | None = None
    ) -> ChargeOutcome:
        """With a permit of a block, or one that is taken now."""
        if permit is None:
            permit = self.permits.one(charge_operation(request), self._rank)
        permit.wait()
        outcome = self._provider.charge(request, key=key, key_age_s=key_age_s)
        self.permits.tell(permit, outcome.reach, retry_after_s=outcome.retry_after_s)
        return outcome

    def cancel_intent(self, intent_ref: str, *, key: str) -> IntentFacts:
        return self._ask("payment_intents.cancel", lambda: self._provider.cancel_intent(intent_ref, key=key))

    def read_intent(self, intent_ref: str) -> IntentFacts:
        return self._ask("payment_intents.read", lambda: self._provider.read_intent(intent_ref))

    def intent_secret(self, intent_ref: str) -> str:
        return self._ask("payment_intents.read", lambda: self._provider.intent_secret(intent_ref))

    def list_intents(self, *, customer_ref: str, created_from: datetime) -> Iterator[IntentFacts]:
        listed = self._provider.list_intents(customer_ref=customer_ref, created_from=created_from)
        return self._pages("payment_intents.list", listed)

    def list_charges(self, *, intent_ref: str) -> Iterator[ChargeFacts]:
        return self._pages("charges.list", self._provider.list_charges(intent_ref=intent_ref))

    def refund(self, *, refund_id: UUID, charge_ref: str, amount_minor: int, currency: str, key: str) -> RefundFacts:
        return self._ask(
            "refunds.create",
            lambda: self._provider.refund(
                refund_id=refund_id, charge_ref=charge_ref, amount_minor=amount_minor, currency=currency, key=key
            ),
        )

    def read_refund(self, refund_ref: str) -> RefundFacts:
        return self._ask("refunds.read", lambda: self._provider.read_refund(refund_ref))

    def list_refunds(self, *, charge_ref: str) -> Iterator[RefundFacts]:
        return self._pages("refunds.list", self._provider.list_refunds(charge_ref=charge_ref))

    def verify_event(self, *, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
        """Asks nobody, so it needs no permit."""
        return self._provider.verify_event(raw=raw, signature=signature, secrets=secrets, wall_now=wall_now)

    def _ask(self, operation: str, call: Callable[[], T]) -> T:
        permit = self.permits.one(operation, self._rank)
        try:
            answer = call()
        except ProviderRefused:
            self.permits.tell(permit, Reach.ANSWERED)
            raise
        except ProviderUnavailable as error:
            self.permits.tell(permit, error.reach, retry_after_s=error.retry_after_s)
            raise
        except ProviderUncertain as error:
            self.permits.tell(permit, error.reach)
            raise
        self.permits.tell(permit, Reach.ANSWERED)
        return answer

    def _pages(self, operation: str, listed: Iterator[T]) -> Iterator[T]:
        """A permit a page: the port says that a list asks for `PAGE` items at a time, when they are wanted."""
        while page := self._ask(operation, lambda: list(islice(listed, PAGE))):
            yield from page
            if len(page) < PAGE:
                return


def charge_operation(request: ChargeRequest) -> str:
    """What the provider counts this charge as."""
    return "payment_intents.create" if request.intent_ref is None else "payment_intents.confirm"
