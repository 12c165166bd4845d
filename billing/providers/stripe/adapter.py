"""`Provider` over Stripe's official SDK: a method is one request or one list of pages; only kernel errors leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any, TypeVar
from uuid import UUID

import stripe
from stripe.params import (
    ChargeListParams,
    PaymentIntentListParams,
    RefundListParams,
)

from billing.kernel.errors import Fault, Refused
from billing.providers import reading
from billing.providers.domains import DomainFacts
from billing.providers.events import EventFacts, ListedEvent
from billing.providers.failing import Failure, headers_of
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
    RefundFacts,
    SetupFacts,
    SetupStarted,
)
from billing.providers.stripe import charging, domains, facts, listing, outcomes, signature
from billing.providers.stripe.amounts import LEAST_MINOR, step_minor, to_provider
from billing.providers.stripe.asking import all_pages, attempt, read, write
from billing.providers.stripe.failures import failure_of
from billing.providers.stripe.kinds import type_of

KEY_LIFE_S = 20 * 3600.0
"""Stripe keeps keys for 24 h."""

_LOOK_BACK, _LOOK_AHEAD = timedelta(days=365), timedelta(days=1)
_LATEST_CHARGE = ["latest_charge"]

_NOT_CANCELABLE = frozenset({"canceled", "succeeded", "processing"})

T = TypeVar("T")


class StripeProvider:
    """One Stripe account. Holds no state but its client, so threads may share it and it may be forked."""

    name = "stripe"
    key_life_s = KEY_LIFE_S
    lists_late_s = 0.0
    lists_back_s = disputes_back_s = inf

    def __init__(self, *, client: stripe.StripeClient, livemode: bool, documented_only: bool = True) -> None:
        """`client` as `build_client` makes it; `livemode` as the key says; for `documented_only` see `to_provider`."""
        self._client = client
        self._v1 = client.v1
        self._livemode = livemode
        self._documented_only = documented_only
        self.least_minor: Mapping[str, int] = LEAST_MINOR if documented_only else {}
        self._intent = partial(facts.intent_facts, documented_only=documented_only)
        self._charge = partial(facts.charge_facts, documented_only=documented_only)
        self._refund = partial(facts.refund_facts, documented_only=documented_only)
        self._listed_charge = partial(listing.charge, documented_only=documented_only)
        self._listed_refund = partial(listing.refund, documented_only=documented_only)

    def account(self) -> AccountFacts:
        """Whose key this is. Raises as a read does."""
        return read(
            lambda: facts.account_facts(self._v1.accounts.retrieve_current().to_dict(), livemode=self._livemode)
        )

    def read_domain(self, name: str) -> DomainFacts | None:
        """The registration of this domain."""
        return read(lambda: domains.find(self._client, name))

    def register_domain(self, name: str, *, key: str) -> DomainFacts:
        """Register it."""
        return write(lambda: domains.register(self._client, name, key))

    def step_minor(self, currency: str) -> int:
        """Tens in currencies of three decimals; see `amounts`."""
        return step_minor(currency, documented_only=self._documented_only)

    def create_customer(self, *, anonymous_id: UUID, key: str) -> str:
        """Create the customer with the anonymous id in its metadata and nothing else."""

        def send() -> str:
            answer = self._v1.customers.create(
                {"metadata": {"anonymous_id": str(anonymous_id)}}, {"idempotency_key": key}
            )
            return facts.object_ref(answer.to_dict(), "customer")

        return write(send)

    def begin_setup(self, *, customer_ref: str, key: str, kind: str, return_url: str | None = None) -> SetupStarted:
        """Begin a set-up for later charges without the customer present."""

        def send() -> SetupStarted:
            answer = self._v1.setup_intents.create(
                {
                    "customer": customer_ref,
                    "usage": "off_session",
                    "allowed_payment_method_types": [type_of(kind)],
                },
                {"idempotency_key": key},
            )
            return facts.setup_started(answer.to_dict())

        return write(send)

    def read_setup(self, setup_ref: str) -> SetupFacts:
        """The present state of a set-up."""
        return _one(self._v1.setup_intents.retrieve, setup_ref, facts.setup_facts)

    def finish_setup(self, setup_ref: str, *, key: str) -> SetupFacts:
        """Stripe's form has finished it."""
        return self.read_setup(setup_ref)

    def attach_method(self, *, customer_ref: str, method_ref: str, key: str) -> MethodFacts:
        """Bind a method to the customer. For a test name the answer's `method_ref` is the one to charge."""

        def send() -> MethodFacts:
            answer = self._v1.payment_methods.attach(method_ref, {"customer": customer_ref}, {"idempotency_key": key})
            return facts.method_facts(answer.to_dict())

        return write(send)

    def read_method(self, method_ref: str) -> MethodFacts:
        """The present state of a method; `customer_ref` is None once it is detached."""
        return _one(self._v1.payment_methods.retrieve, method_ref, facts.method_facts)

    def detach_method(self, method_ref: str, *, key: str) -> None:
        """Take the method from its customer. Stripe never lets it be used again."""

        def send() -> None:
            answer = self._v1.payment_methods.detach(method_ref, {}, {"idempotency_key": key})
            facts.method_facts(answer.to_dict())

        return write(send)

    def read_mandate(self, mandate_ref: str) -> MandateFacts:
        """The present state of a mandate."""
        return _one(self._v1.mandates.retrieve, mandate_ref, facts.mandate_facts)

    def has_customer(self, customer_ref: str) -> bool:
        """Stripe goes on showing a deleted customer, by its id alone."""
        return _one(self._v1.customers.retrieve, customer_ref, facts.is_living)

    def charge(self, request: ChargeRequest, *, key: str, key_age_s: float) -> ChargeOutcome:
        """Send one attempt: create and confirm the invoice's intent, or confirm it again. See the port."""
        if key_age_s >= KEY_LIFE_S:
            raise Refused(Fault("key", "key_expired", "resolve the attempt by reading; never send this key again"))
        amount = to_provider(request.amount_minor, request.currency, documented_only=self._documented_only)
        try:
            answer = (
                charging.create(self._client, request, amount, key)
                if request.intent_ref is None
                else charging.confirm(self._client, request, request.intent_ref, key)
            )
            raw = answer.data if isinstance(answer.data, dict) else {}
            return outcomes.of_answer(raw, request=request, amount=amount, headers=headers_of(answer.headers))
        except Exception as error:  # noqa: BLE001 - after sending, whatever breaks here leaves the outcome open
            failure = failure_of(error)
        return outcomes.of_failure(failure, first_sending=key_age_s <= 0, request=request)

    def cancel_intent(self, intent_ref: str, *, key: str) -> IntentFacts:
        """Cancel, or learn why not: where Stripe refuses for the intent's state, its present state is returned."""

        def send() -> IntentFacts:
            answer = self._v1.payment_intents.cancel(intent_ref, {"expand": _LATEST_CHARGE}, {"idempotency_key": key})
            return self._intent(answer.to_dict(), asked_for=intent_ref)

        done = attempt(send)
        if not isinstance(done, Failure):
            return done
        if done.reason == "payment_intent_unexpected_state":
            return self.read_intent(intent_ref)
        if done.replayed and (now := self.read_intent(intent_ref)).status in _NOT_CANCELABLE:
            # Stripe keeps a failure under its key, too, also of a request that it carried out.
            return now
        raise done.of_a_write()

    def read_intent(self, intent_ref: str) -> IntentFacts:
        """The present state of an intent, its latest charge with it."""

        def ask() -> IntentFacts:
            answer = self._v1.payment_intents.retrieve(intent_ref, {"expand": _LATEST_CHARGE})
            return self._intent(answer.to_dict(), asked_for=intent_ref)

        return read(ask)

    def intent_secret(self, intent_ref: str) -> str:
        """The intent's client secret: Stripe's script acts on the intent with it, and on nothing else."""

        def ask() -> str:
            answer = self._v1.payment_intents.retrieve(intent_ref).to_dict()
            return facts.intent_secret(answer, asked_for=intent_ref)

        return read(ask)

    def list_intents(
        self, *, customer_ref: str, created_from: datetime, payment_id: UUID | None = None
    ) -> Iterator[IntentFacts]:
        """Every intent of the customer created at or after that moment (whole seconds, rounded down), newest first."""
        since = int(created_from.timestamp())

        def page(after: str | None) -> dict[str, Any]:
            params: PaymentIntentListParams = {
                "customer": customer_ref,
                "created": {"gte": since},
                "limit": PAGE,
                "expand": ["data.latest_charge"],
            }
            if after:
                params["starting_after"] = after
            return self._v1.payment_intents.list(params).to_dict()

        return all_pages(page, self._intent)

    def read_charge(self, charge_ref: str) -> ListedCharge:
        """The present state of a charge."""
        return _one(self._v1.charges.retrieve, charge_ref, self._listed_charge)

    def list_charges(self, *, intent_ref: str) -> Iterator[ChargeFacts]:
        """Every charge of the intent, newest first."""

        def page(after: str | None) -> dict[str, Any]:
            params: ChargeListParams = {"payment_intent": intent_ref, "limit": PAGE}
            if after:
                params["starting_after"] = after
            return self._v1.charges.list(params).to_dict()

        return all_pages(page, self._charge)

    def refund(self, *, refund_id: UUID, charge_ref: str, amount_minor: int, currency: str, key: str) -> RefundFacts:
        """Refund part of a charge, with our id of it in the metadata and nothing else."""
        amount = to_provider(amount_minor, currency, documented_only=self._documented_only)

        def send() -> RefundFacts:
            answer = self._v1.refunds.create(
                {"charge": charge_ref, "amount": amount, "metadata": {"refund_id": str(refund_id)}},
                {"idempotency_key": key},
            )
            found = self._refund(answer.to_dict())
            if found.metadata_refund not in (None, str(refund_id)):
                raise reading.Unreadable("metadata")
            return found

        return write(send)

    def read_refund(self, refund_ref: str) -> RefundFacts:
        """The present state of a refund."""
        return _one(self._v1.refunds.retrieve, refund_ref, self._refund)

    def list_refunds(self, *, charge_ref: str) -> Iterator[RefundFacts]:
        """Every refund of the charge, newest first."""

        def page(after: str | None) -> dict[str, Any]:
            params: RefundListParams = {"charge": charge_ref, "limit": PAGE}
            if after:
                params["starting_after"] = after
            return self._v1.refunds.list(params).to_dict()

        return all_pages(page, self._refund)

    def read_payout(self, payout_ref: str) -> PayoutFacts:
        """The present state of a payout."""
        return _one(self._v1.payouts.retrieve, payout_ref, facts.payout_facts)

    def payout_movement_pages(self, *, payout_ref: str, after: str | None = None) -> Iterator[list[ListedMovement]]:
        """Newest first. Stripe refuses it of a payout made by hand."""
        ask: Callable[..., Any] = self._v1.balance_transactions.list
        return listing.pages(read, ask, listing.movement, {"payout": payout_ref}, after=after)

    def charge_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedCharge]]:
        """See the port, as for the three below."""
        return self._pages(self._v1.charges.list, self._listed_charge, created_from, created_to)

    def newest_charges(self, *, now: datetime) -> list[ListedCharge]:
        """The first page of the list."""
        return next(self.charge_pages(created_from=now - _LOOK_BACK, created_to=now + _LOOK_AHEAD), [])

    def newest_refunds(self, *, now: datetime) -> list[ListedRefund]:
        """The first page of the list."""
        return next(self.refund_pages(created_from=now - _LOOK_BACK, created_to=now + _LOOK_AHEAD), [])

    def lists_reach(self, until: datetime) -> bool:
        """They are never late."""
        return True

    def refund_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedRefund]]:
        """Every refund of the account."""
        return self._pages(self._v1.refunds.list, self._listed_refund, created_from, created_to)

    def dispute_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedDispute]]:
        """Every dispute of the account."""
        return self._pages(self._v1.disputes.list, listing.dispute, created_from, created_to)

    def movement_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedMovement]]:
        """Every movement of the account's balance."""
        return self._pages(self._v1.balance_transactions.list, listing.movement, created_from, created_to)

    def event_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedEvent]]:
        """Every event of the account that Stripe still lists."""
        return self._pages(self._v1.events.list, listing.event, created_from, created_to)

    def _pages(
        self, ask: Callable[..., Any], parse: Callable[[reading.Raw], T], created_from: datetime, created_to: datetime
    ) -> Iterator[list[T]]:
        return listing.pages(read, ask, parse, listing.created(created_from, created_to))

    def read_dispute(self, dispute_ref: str) -> DisputeFacts:
        """The present state of a dispute, with what it has moved."""
        return _one(self._v1.disputes.retrieve, dispute_ref, facts.dispute_facts)

    def read_fraud_warning(self, warning_ref: str) -> FraudWarningFacts:
        """The present state of an early fraud warning."""
        return _one(self._v1.radar.early_fraud_warnings.retrieve, warning_ref, facts.fraud_warning_facts)

    def get_ready(self, signatures: Iterable[str], *, secrets: list[str], wall_now: datetime) -> None:
        """The secrets are at hand."""

    def verify_event(self, *, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
        """See `signature.verify_event`; no request is made."""
        return _verify(raw=raw, signature=signature, secrets=secrets, wall_now=wall_now)


def _one(retrieve: Callable[[str], Any], ref: str, parse: Callable[[reading.Raw], T]) -> T:
    """One object by its id; another one's is no answer."""
    return read(lambda: parse(reading.same(retrieve(ref).to_dict(), "id", ref)))


_verify = signature.verify_event
