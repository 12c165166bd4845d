"""Metered: the one way from a flow to a provider. Each call takes a permit first, and tells how the line was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from billing.flows.permits import Permit, Permits
from billing.kernel.errors import NoPermit, ProviderRefused, ProviderUnavailable, ProviderUncertain, Reach
from billing.kernel.hold import Hold
from billing.privacy.tracing import step
from billing.providers.domains import DomainFacts
from billing.providers.events import EventFacts, ListedEvent
from billing.providers.listed import ListedCharge, ListedDispute, ListedMovement, ListedRefund, PayoutFacts
from billing.providers.port import (
    PAGE,
    AccountFacts,
    ChargeFacts,
    ChargeOutcome,
    ChargeRequest,
    DisputeFacts,
    FraudWarningFacts,
    IntentFacts,
    MandateFacts,
    MethodFacts,
    Outcome,
    Provider,
    RefundFacts,
    SetupFacts,
    SetupStarted,
)
from billing.rules.rate import Rank

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a page of a whole account's list waits for its permit (wall seconds)."""


class Metered(Provider):
    """A provider account for callers of one rank. Beside the port's errors each call may raise `NoPermit`.

    Operations are named as the provider counts them: Stripe's limits are of the account and of each named operation.
    """

    def __init__(self, provider: Provider, permits: Permits, rank: Rank) -> None:
        self._provider, self.permits, self._rank = provider, permits, rank
        self.name, self.key_life_s, self.least_minor = provider.name, provider.key_life_s, provider.least_minor
        self.lists_late_s = provider.lists_late_s
        self.lists_back_s, self.disputes_back_s = provider.lists_back_s, provider.disputes_back_s

    def account(self) -> AccountFacts:
        return self._ask("account.read", self._provider.account)

    def read_domain(self, name: str) -> DomainFacts | None:
        return self._ask("payment_method_domains.list", lambda: self._provider.read_domain(name))

    def register_domain(self, name: str, *, key: str) -> DomainFacts:
        return self._ask("payment_method_domains.create", lambda: self._provider.register_domain(name, key=key))

    def step_minor(self, currency: str) -> int:
        return self._provider.step_minor(currency)

    def create_customer(self, *, anonymous_id: UUID, key: str) -> str:
        return self._ask("customers.create", lambda: self._provider.create_customer(anonymous_id=anonymous_id, key=key))

    def begin_setup(self, *, customer_ref: str, key: str, kind: str, return_url: str | None = None) -> SetupStarted:
        return self._ask(
            "setup_intents.create",
            lambda: self._provider.begin_setup(customer_ref=customer_ref, key=key, kind=kind, return_url=return_url),
        )

    def read_setup(self, setup_ref: str) -> SetupFacts:
        return self._ask("setup_intents.read", lambda: self._provider.read_setup(setup_ref))

    def finish_setup(self, setup_ref: str, *, key: str) -> SetupFacts:
        return self._ask("setup_intents.read", lambda: self._provider.finish_setup(setup_ref, key=key))

    def attach_method(self, *, customer_ref: str, method_ref: str, key: str) -> MethodFacts:
        return self._ask(
            "payment_methods.attach",
            lambda: self._provider.attach_method(customer_ref=customer_ref, method_ref=method_ref, key=key),
        )

    def read_method(self, method_ref: str) -> MethodFacts:
        return self._ask("payment_methods.read", lambda: self._provider.read_method(method_ref))

    def detach_method(self, method_ref: str, *, key: str) -> None:
        return self._ask("payment_methods.detach", lambda: self._provider.detach_method(method_ref, key=key))

    def read_mandate(self, mandate_ref: str) -> MandateFacts:
        return self._ask("mandates.read", lambda: self._provider.read_mandate(mandate_ref))

    def has_customer(self, customer_ref: str) -> bool:
        return self._ask("customers.read", lambda: self._provider.has_customer(customer_ref))

    def charge(
        self,
        request: ChargeRequest,
        *,
        key: str,
        key_age_s: float,
        hold: Hold | None = None,
        permit: Permit | None = None,
    ) -> ChargeOutcome:
        """With a permit of a block, or one that is taken now. Where `hold` is over by then, nothing is sent."""
        if permit is None:
            permit = self.permits.one(charge_operation(request), self._rank)
        permit.wait()
        if hold is not None and hold.over:
            return ChargeOutcome(Outcome.NOT_SENT, reason="hold_over")
        payment, invoice = str(request.payment_id), str(request.invoice_id)
        with step(f"{self.name} {charge_operation(request)}", payment=payment, invoice=invoice) as tell:
            outcome = self._provider.charge(request, key=key, key_age_s=key_age_s)
            tell(outcome=outcome.outcome.value)
        self.permits.tell(permit, outcome.reach, retry_after_s=outcome.retry_after_s)
        return outcome

    def cancel_intent(self, intent_ref: str, *, key: str) -> IntentFacts:
        return self._ask("payment_intents.cancel", lambda: self._provider.cancel_intent(intent_ref, key=key))

    def read_intent(self, intent_ref: str) -> IntentFacts:
        return self._ask("payment_intents.read", lambda: self._provider.read_intent(intent_ref))

    def intent_secret(self, intent_ref: str) -> str:
        return self._ask("payment_intents.read", lambda: self._provider.intent_secret(intent_ref))

    def list_intents(
        self, *, customer_ref: str, created_from: datetime, payment_id: UUID | None = None
    ) -> Iterator[IntentFacts]:
        listed = self._provider.list_intents(
            customer_ref=customer_ref, created_from=created_from, payment_id=payment_id
        )
        return self._pages("payment_intents.list", listed)

    def read_charge(self, charge_ref: str) -> ListedCharge:
        return self._ask("charges.read", lambda: self._provider.read_charge(charge_ref))

    def list_charges(self, *, intent_ref: str) -> Iterator[ChargeFacts]:
        return self._pages("charges.list", self._provider.list_charges(intent_ref=intent_ref))

    def refund(
        self,
        *,
        refund_id: UUID,
        charge_ref: str,
        amount_minor: int,
        currency: str,
        key: str,
        hold: Hold | None = None,
    ) -> RefundFacts:
        """Where `hold` is over once there is a permit, nothing is sent: `ProviderUncertain`, for others may have it."""

        def send() -> RefundFacts:
            if hold is not None and hold.over:
                raise ProviderUncertain("the refund was held for too long to be sent", reach=Reach.ANSWERED)
            return self._provider.refund(
                refund_id=refund_id, charge_ref=charge_ref, amount_minor=amount_minor, currency=currency, key=key
            )

        return self._ask("refunds.create", send)

    def read_refund(self, refund_ref: str) -> RefundFacts:
        return self._ask("refunds.read", lambda: self._provider.read_refund(refund_ref))

    def list_refunds(self, *, charge_ref: str) -> Iterator[RefundFacts]:
        return self._pages("refunds.list", self._provider.list_refunds(charge_ref=charge_ref))

    def read_payout(self, payout_ref: str) -> PayoutFacts:
        return self._ask("payouts.read", lambda: self._provider.read_payout(payout_ref))

    def payout_movement_pages(self, *, payout_ref: str, after: str | None = None) -> Iterator[list[ListedMovement]]:
        pages = self._provider.payout_movement_pages(payout_ref=payout_ref, after=after)
        return self._page_by_page("balance_transactions.list", pages)

    def charge_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedCharge]]:
        pages = self._provider.charge_pages(created_from=created_from, created_to=created_to)
        return self._page_by_page("charges.list", pages)

    def newest_charges(self, *, now: datetime) -> list[ListedCharge]:
        return self._ask("charges.list", lambda: self._provider.newest_charges(now=now))

    def newest_refunds(self, *, now: datetime) -> list[ListedRefund]:
        return self._ask("refunds.list", lambda: self._provider.newest_refunds(now=now))

    def lists_reach(self, until: datetime) -> bool:
        return self._ask("charges.list", lambda: self._provider.lists_reach(until))

    def refund_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedRefund]]:
        pages = self._provider.refund_pages(created_from=created_from, created_to=created_to)
        return self._page_by_page("refunds.list", pages)

    def dispute_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedDispute]]:
        pages = self._provider.dispute_pages(created_from=created_from, created_to=created_to)
        return self._page_by_page("disputes.list", pages)

    def movement_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedMovement]]:
        pages = self._provider.movement_pages(created_from=created_from, created_to=created_to)
        return self._page_by_page("balance_transactions.list", pages)

    def event_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedEvent]]:
        pages = self._provider.event_pages(created_from=created_from, created_to=created_to)
        return self._page_by_page("events.list", pages)

    def read_dispute(self, dispute_ref: str) -> DisputeFacts:
        return self._ask("disputes.read", lambda: self._provider.read_dispute(dispute_ref))

    def read_fraud_warning(self, warning_ref: str) -> FraudWarningFacts:
        return self._ask("fraud_warnings.read", lambda: self._provider.read_fraud_warning(warning_ref))

    def get_ready(self, signatures: Iterable[str], *, secrets: list[str], wall_now: datetime) -> None:
        """Certificates are no calls of the account's."""
        self._provider.get_ready(signatures, secrets=secrets, wall_now=wall_now)

    def verify_event(self, *, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
        """Asks nobody, so it needs no permit."""
        return self._provider.verify_event(raw=raw, signature=signature, secrets=secrets, wall_now=wall_now)

    def _ask(self, operation: str, call: Callable[[], T]) -> T:
        permit = self.permits.one(operation, self._rank)
        try:
            with step(f"{self.name} {operation}"):
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

    def _page_by_page(self, operation: str, pages: Iterator[list[T]]) -> Iterator[list[T]]:
        """As `_pages`, for those who want each page as it came, and who wait where others use the rate up.

        A list is read to its end or not at all, so giving way in the middle would be to begin anew each time.
        """
        while (page := self._patiently(operation, lambda: next(pages, None))) is not None:
            yield page
            if len(page) < PAGE:
                return

    def _patiently(self, operation: str, call: Callable[[], T]) -> T:
        """As `_ask`; a permit that is denied is asked for again, for up to `PATIENCE_S`."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._ask(operation, call)
            except NoPermit as denied:
                if time.monotonic() > until:
                    raise
                time.sleep(min(denied.retry_after_s or 0.1, 1.0))

    def _pages(self, operation: str, listed: Iterator[T]) -> Iterator[T]:
        """A permit a page: the port says that a list asks for `PAGE` items at a time, when they are wanted."""
        while page := self._ask(operation, lambda: list(islice(listed, PAGE))):
            yield from page
            if len(page) < PAGE:
                return


def charge_operation(request: ChargeRequest) -> str:
    """What the provider counts this charge as."""
    return "payment_intents.create" if request.intent_ref is None else "payment_intents.confirm"
