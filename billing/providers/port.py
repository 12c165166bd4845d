"""What a payment provider must do for us, in our words.

Request types have no field for a name, an e-mail or an address: a provider cannot be told what it must not know. The
only name it gets is `anonymous_id`. Amounts are integer minor units, converted by the adapter; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from billing.kernel.errors import Reach
from billing.providers.domains import DomainFacts
from billing.providers.events import EventFacts, ListedEvent
from billing.providers.listed import ListedCharge, ListedDispute, ListedMovement, ListedRefund, PayoutFacts

PAGE = 100
"""Every list is asked for in pages of so many: one call each."""


class Outcome(StrEnum):
    """How one sending ended. UNKNOWN is a state of its own: it is resolved by evidence, never by a timer.

    NOT_SENT speaks of this sending only: where the same key was sent before and its outcome is unknown, it stays so.
    """

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    CANCELED = "canceled"
    """The provider had canceled the intent (confirm limit, by hand): nothing moved, a successor intent is needed."""


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """The frozen parameters of one attempt. The same request under the same key is the same attempt, for ever."""

    payment_id: UUID
    invoice_id: UUID
    customer_ref: str
    method_ref: str
    amount_minor: int
    currency: str
    intent_ref: str | None = None
    """None: create the invoice's intent and confirm it in one call. Else: confirm this intent."""
    kind: str | None = None
    """Of the method (`kernel.kinds`). None: a card, on an intent that was never told of another kind."""
    on_session: bool = False
    """The customer is at hand: a wish for authentication is REQUIRES_ACTION then, not a decline."""
    spent_before: int = 0  # so many of the invoice's intents there had moved money that was kept apart


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """One try of the provider to move money (Stripe: a charge), and the method that it charged, where that is told."""

    charge_ref: str
    status: str  # succeeded | pending | failed
    amount_minor: int
    currency: str
    created: datetime
    decline_code: str | None = None
    advice_code: str | None = None
    held_as: str | None = None  # why it is pending, where that is told: the reason of the attempt (`rules.held`)
    refunded_minor: int = 0
    method_ref: str | None = None
    method_kind: str | None = None


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """The provider's present state of one intent, without anything personal."""

    intent_ref: str
    status: str
    """requires_payment_method | requires_confirmation | requires_action | processing | succeeded | canceled"""
    amount_minor: int
    currency: str
    customer_ref: str | None
    created: datetime
    metadata_invoice: str | None
    metadata_payment: str | None
    latest_charge: ChargeFacts | None
    last_error_code: str | None = None
    """decline code (or error code) of the last failed confirm, where the provider still shows one"""


@dataclass(frozen=True, slots=True)
class ChargeOutcome:
    """What one sending told us; `reason` is never personal. `stray`: what the intent moved that was not asked for."""

    outcome: Outcome
    reason: str = ""
    intent_ref: str | None = None
    charge_ref: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    request_ref: str | None = None
    http_status: int | None = None
    replayed: bool = False
    """True where the provider said that this answer is the stored one of an earlier sending."""
    retry_after_s: float | None = None
    reach: Reach = Reach.ANSWERED
    account_wide: bool = False
    """True where the whole account is refused (key revoked, account restricted): stop sending for this account."""
    needs_person: bool = False
    """The same would end the same way again (a bad request, an answer about another amount): work, no timer's try."""
    intent_over: bool = False
    """True of a decline after which this intent takes no other try: the next attempt makes a successor."""
    stray: ChargeFacts | None = None


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """The provider's present state of one refund. `metadata_refund` is our own id of it."""

    refund_ref: str
    status: str  # pending | requires_action | succeeded | failed | canceled
    amount_minor: int
    currency: str
    charge_ref: str | None
    metadata_refund: str | None
    failure_reason: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """The provider's present state of one dispute. Its amount is in `currency`, which may not be the charge's."""

    dispute_ref: str
    charge_ref: str
    status: str
    """warning_needs_response | warning_under_review | warning_closed | needs_response | under_review | won | lost"""
    amount_minor: int
    currency: str
    reason: str | None
    created: datetime
    due_by: datetime | None
    refundable: bool
    withdrawn_minor: int
    """What was taken from our balance for it so far, without fees; 0 while it is an inquiry."""
    reinstated_minor: int  # what of that was given back
    moved_currency: str | None
    """The currency of our balance, where that was; null while nothing moved."""
    appeal: bool = False  # it is asked, or looked at, in an appeal against what the bank has decided
    mixed: bool = False  # our balance became one in another currency meanwhile: the sums are nominal


@dataclass(frozen=True, slots=True)
class FraudWarningFacts:
    """An issuer's early word that a charge may be fraud."""

    warning_ref: str
    charge_ref: str
    fraud_type: str | None
    actionable: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class SetupStarted:
    """A begun set-up of a payment method: what the page or the host needs to complete it with the provider."""

    setup_ref: str
    client_secret: str | None = field(default=None, repr=False)
    approve_url: str | None = None
    """Where the customer goes to agree, with a provider that has no form of its own on our page."""


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """Display details of a payment method; never a card number, never a holder."""

    method_ref: str
    kind: str
    customer_ref: str | None
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    funding: str | None = None
    issuing_country: str | None = None
    wallet: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """The state of a set-up: `succeeded` names the method to charge off-session, or `finish_setup` brings it by key."""

    setup_ref: str
    status: str
    method_ref: str | None
    mandate_ref: str | None


@dataclass(frozen=True, slots=True)
class MandateFacts:
    """The present state of a leave to charge, active | inactive | pending; `reference` is the bank's name of it."""

    mandate_ref: str
    status: str
    method_ref: str | None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Whose key this is, pinned at first start and compared at every start; `kinds` it may charge, where it says."""

    account_ref: str
    livemode: bool
    kinds: tuple[str, ...] = ()


class Provider(Protocol):
    """One provider account. Every call has explicit time-outs. Only kernel errors are raised:

    `ProviderUnavailable` (did nothing), `ProviderUncertain` (may have acted), `ProviderRefused` (will not).
    `charge` raises none of them for the provider's answers: it returns an outcome.
    """

    name: str
    key_life_s: float  # a key is replayed only while its first sending is younger; the provider keeps keys longer
    lists_late_s: float  # so long after a fact the lists of the whole account may not show it yet
    lists_back_s: float  # the lists of the whole account refuse what is longer ago; infinite: they go back to the first
    disputes_back_s: float  # the same of the list of disputes
    least_minor: Mapping[str, int]  # the least that it charges, by currency, in our minor units, where that is known

    def account(self) -> AccountFacts: ...

    def read_domain(self, name: str) -> DomainFacts | None:
        """None where it isn't registered. Raises `ProviderRefused` (`not_supported`), as `register_domain` does."""

    def register_domain(self, name: str, *, key: str) -> DomainFacts:
        """Register it; one that is there already is answered with."""

    def step_minor(self, currency: str) -> int:
        """It moves whole multiples of so many minor units. Asks nobody. Raises `Refused` (`currency_unsupported`)."""

    def create_customer(self, *, anonymous_id: UUID, key: str) -> str:
        """Create the customer, known to the provider by `anonymous_id` alone; return its id."""

    def begin_setup(self, *, customer_ref: str, key: str, kind: str, return_url: str | None = None) -> SetupStarted:
        """Of that kind of method. `return_url`: where the customer comes back to; nothing personal is in it."""

    def read_setup(self, setup_ref: str) -> SetupFacts: ...

    def finish_setup(self, setup_ref: str, *, key: str) -> SetupFacts:
        """As `read_setup`, after what is left to do on our side once the customer has agreed."""

    def attach_method(self, *, customer_ref: str, method_ref: str, key: str) -> MethodFacts:
        """Bind a method made elsewhere (an import, a test name such as `pm_card_visa`) to the customer."""

    def read_method(self, method_ref: str) -> MethodFacts: ...

    def detach_method(self, method_ref: str, *, key: str) -> None: ...

    def read_mandate(self, mandate_ref: str) -> MandateFacts: ...

    def has_customer(self, customer_ref: str) -> bool:
        """False once it was deleted. Raises `ProviderRefused` where there never was one."""

    def charge(self, request: ChargeRequest, *, key: str, key_age_s: float) -> ChargeOutcome:
        """Send one attempt. `key_age_s`: business seconds since this key was first sent (0 the first time).

        Raises `Refused` (`key_expired`) at `key_life_s` and above: a pruned key would be a new charge; and before
        anything is sent, for an amount that the provider can't represent.

        What a provider says before it looks at the key (a bad request, a missing method) closes an attempt only on
        its first sending; later it is UNKNOWN, for the first one may have been carried out.
        """

    def cancel_intent(self, intent_ref: str, *, key: str) -> IntentFacts:
        """Cancel it. Where its state forbids that (succeeded, canceled already), return that state instead."""

    def read_intent(self, intent_ref: str) -> IntentFacts: ...

    def intent_secret(self, intent_ref: str) -> str:
        """What the customer's browser needs to act on this one intent. Given out only while an attempt is open."""

    def list_intents(
        self, *, customer_ref: str, created_from: datetime, payment_id: UUID | None = None
    ) -> Iterator[IntentFacts]:
        """Every intent of the customer since then, all pages; raises rather than end early.

        `payment_id`: the one attempt that is looked for. A provider that can't list by customer reads its whole
        account's list, and gives what it has of that attempt alone.
        """

    def read_charge(self, charge_ref: str) -> ListedCharge: ...

    def list_charges(self, *, intent_ref: str) -> Iterator[ChargeFacts]: ...

    def refund(self, *, refund_id: UUID, charge_ref: str, amount_minor: int, currency: str, key: str) -> RefundFacts:
        """Send part of a charge back to the method that paid. The same key is the same refund, for `key_life_s`."""

    def read_refund(self, refund_ref: str) -> RefundFacts: ...

    def list_refunds(self, *, charge_ref: str) -> Iterator[RefundFacts]:
        """Every refund of the charge, all pages; raises rather than end early."""

    def read_payout(self, payout_ref: str) -> PayoutFacts: ...

    def payout_movement_pages(self, *, payout_ref: str, after: str | None = None) -> Iterator[list[ListedMovement]]:
        """Every movement that an automatic payout holds, or those after one, in an order that stays; by pages."""

    def charge_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedCharge]]:
        """Every charge of the account created in [from, to), newest first; each page is one request.

        As `refund_pages`, `dispute_pages`, `movement_pages`: whole seconds; raises rather than end early.
        """

    def newest_charges(self, *, now: datetime) -> list[ListedCharge]:
        """About the newest hundred charges of the account: enough to see whether rows of ours were lost."""

    def newest_refunds(self, *, now: datetime) -> list[ListedRefund]:
        """The same of its refunds."""

    def lists_reach(self, until: datetime) -> bool:
        """Whether the lists of the whole account show all that happened before: they may be late (`lists_late_s`)."""

    def refund_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedRefund]]: ...

    def dispute_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedDispute]]: ...

    def movement_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedMovement]]: ...

    def event_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedEvent]]:
        """The account's events of these seconds, as `charge_pages`; the provider keeps 30 days of them."""

    def read_dispute(self, dispute_ref: str) -> DisputeFacts: ...

    def read_fraud_warning(self, warning_ref: str) -> FraudWarningFacts: ...

    def get_ready(self, signatures: Iterable[str], *, secrets: list[str], wall_now: datetime) -> None:
        """Fetch what verifying them takes, never in a transaction. Raises nothing: `verify_event` then refuses."""

    def verify_event(self, *, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
        """Verify a delivery over its raw bytes, several secrets allowed, stamps bounded both ways in wall time.

        Raises `Refused`: `no_secret`, `bad_signature`, `stale_signature`, `bad_event`.
        """
