"""`Provider` over PayPal's REST API: a method is one request or one list of pages; only kernel errors leave.

PayPal differs from a card processor in three things, and here they end: it has no customers (the anonymous id is the
customer's name, written on each setup token), an order is one attempt (its successor is a new order), and there is no
list but that of the whole account (`listing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from billing.kernel.errors import Fault, ProviderRefused, Refused
from billing.providers.domains import NoDomains
from billing.providers.events import EventFacts, ListedEvent
from billing.providers.failing import Failure, unreadable
from billing.providers.listed import ListedCharge, ListedDispute, ListedMovement, ListedRefund, PayoutFacts
from billing.providers.paypal import disputes, facts, listing, outcomes
from billing.providers.paypal.amounts import step_minor, to_provider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.failures import CallFailed, guarded
from billing.providers.paypal.naming import invoice_name, order_name
from billing.providers.paypal.signature import Certificates, plausible, verify_event
from billing.providers.port import (
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
from billing.providers.reading import Raw, Unreadable, same, text

KEY_LIFE_S = 5 * 3600.0
"""PayPal keeps the request ids of orders for 6 h; those of refunds longer."""

_SEARCHED = timedelta(hours=12)
"""An attempt is carried out while its key is good, which is well within this of its first sending."""

_DISPUTES = "/v1/customer/disputes"
AGREEMENT = "B-"
"""How the id of a billing agreement begins: it may be made a payment token, which is how customers are imported."""

T = TypeVar("T")


class PayPalProvider(NoDomains):
    """One PayPal account. Holds no state but its client, so threads may share it and it may be forked."""

    name = "paypal"
    key_life_s = KEY_LIFE_S
    lists_late_s = listing.LATE_S
    lists_back_s, disputes_back_s = listing.BACK_S, listing.DISPUTES_BACK_S

    def __init__(
        self, *, client: PayPalClient, certificates: Certificates, livemode: bool, documented_only: bool = True
    ) -> None:
        """`livemode` as the address says; `documented_only` as `to_provider` takes it."""
        self._certificates = certificates
        self._client = client
        self._livemode = livemode
        self._documented_only = documented_only
        self.least_minor: Mapping[str, int] = {}

    def account(self) -> AccountFacts:
        """Whose credentials these are: the payer id of the business account. Raises as a read does."""
        answer = self._read("/v1/identity/oauth2/userinfo", lambda raw: text(raw, "payer_id"), {"schema": "paypalv1.1"})
        return AccountFacts(account_ref=answer, livemode=self._livemode)

    def step_minor(self, currency: str) -> int:
        """Whole ones where PayPal takes no decimals; see `amounts`."""
        return step_minor(currency, documented_only=self._documented_only)

    def create_customer(self, *, anonymous_id: UUID, key: str) -> str:
        """PayPal has no customers to create: the anonymous id is the name, and no call is made."""
        return str(anonymous_id)

    def begin_setup(self, *, customer_ref: str, key: str, kind: str, return_url: str | None = None) -> SetupStarted:
        """A setup token, and the page at PayPal where the payer agrees to later payments. It has one kind: the wallet.

        Raises `Refused` (`return_url_missing`): the payer must be able to come back.
        """
        if return_url is None:
            raise Refused(Fault("BILLING_PUBLIC_URL", "return_url_missing", "set it: customers come back from PayPal"))
        wallet = {
            "usage_type": "MERCHANT",
            "customer_type": "CONSUMER",
            "permit_multiple_payment_tokens": True,
            "experience_context": {
                "shipping_preference": "NO_SHIPPING",
                "return_url": return_url,
                "cancel_url": return_url,
            },
        }
        body = {"payment_source": {"paypal": wallet}, "customer": {"merchant_customer_id": customer_ref}}
        return self._write("/v3/vault/setup-tokens", body, facts.setup_started, key=key)

    def read_setup(self, setup_ref: str) -> SetupFacts:
        """The present state of a setup token."""
        return self._one("/v3/vault/setup-tokens", setup_ref, facts.setup_facts)

    def finish_setup(self, setup_ref: str, *, key: str) -> SetupFacts:
        """Where the payer has agreed, make the payment token of it, which may be charged from then on.

        Where that was done before, the same key brings the same token.
        """
        found = self.read_setup(setup_ref)
        if found.status not in (facts.APPROVED, facts.VAULTED):
            return found
        body = {"payment_source": {"token": {"id": setup_ref, "type": "SETUP_TOKEN"}}}
        made = self._write("/v3/vault/payment-tokens", body, facts.method_facts, key=key)
        return replace(found, status="succeeded", method_ref=made.method_ref)

    def attach_method(self, *, customer_ref: str, method_ref: str, key: str) -> MethodFacts:
        """Take over a payment token that is there, or make one of a billing agreement (`B-…`)."""
        if not method_ref.startswith(AGREEMENT):
            return self.read_method(method_ref)
        body = {
            "payment_source": {"token": {"id": method_ref, "type": "BILLING_AGREEMENT"}},
            "customer": {"merchant_customer_id": customer_ref},
        }
        return self._write("/v3/vault/payment-tokens", body, facts.method_facts, key=key)

    def read_method(self, method_ref: str) -> MethodFacts:
        """The present state of a payment token. PayPal forgets one that was removed: `ProviderRefused`."""
        return self._one("/v3/vault/payment-tokens", method_ref, facts.method_facts)

    def detach_method(self, method_ref: str, *, key: str) -> None:
        """Remove the payment token; one that is gone is what was wanted."""
        try:
            guarded(lambda: self._client.delete(f"/v3/vault/payment-tokens/{_id(method_ref)}"), Failure.of_a_write)
        except ProviderRefused as refused:
            if refused.account_wide:
                raise

    def read_mandate(self, mandate_ref: str) -> MandateFacts:
        """A vaulted wallet is its own leave to charge."""
        raise _unsupported("mandates")

    def has_customer(self, customer_ref: str) -> bool:
        """The name is ours, so it is always there."""
        return True

    def charge(self, request: ChargeRequest, *, key: str, key_age_s: float) -> ChargeOutcome:
        """Create an order that is captured at once, from the vaulted wallet. See the port.

        `intent_ref` is not looked at: an order is one attempt.
        """
        if key_age_s >= KEY_LIFE_S:
            raise Refused(Fault("key", "key_expired", "resolve the attempt by reading; never send this key again"))
        body = self._order(request)
        try:
            return outcomes.of_answer(self._client.post("/v2/checkout/orders", body, key=key), request)
        except CallFailed as failed:
            failure = failed.failure
        except Unreadable as odd:
            failure = unreadable(odd, provider="paypal")
        return outcomes.of_failure(failure, first_sending=key_age_s <= 0)

    def _order(self, request: ChargeRequest) -> dict[str, Any]:
        """`invoice_id` is PayPal's own lock: it takes money for one such name once."""
        value = to_provider(request.amount_minor, request.currency, documented_only=self._documented_only)
        return {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "custom_id": order_name(request),
                    "invoice_id": invoice_name(request),
                    "amount": {"currency_code": request.currency.upper(), "value": value},
                }
            ],
            "payment_source": {
                "paypal": {
                    "vault_id": request.method_ref,
                    "stored_credential": {
                        "payment_initiator": "CUSTOMER" if request.on_session else "MERCHANT",
                        "usage": "SUBSEQUENT",
                        "usage_pattern": "IMMEDIATE" if request.on_session else "RECURRING_POSTPAID",
                    },
                }
            },
        }

    def cancel_intent(self, intent_ref: str, *, key: str) -> IntentFacts:
        """PayPal cancels no order. One without a capture moves nothing, since only we capture: it is canceled."""
        found = self.read_intent(intent_ref)
        return replace(found, status="canceled") if found.latest_charge is None else found

    def read_intent(self, intent_ref: str) -> IntentFacts:
        """The present state of an order, its capture with it."""
        return self._one("/v2/checkout/orders", intent_ref, facts.intent_facts)

    def intent_secret(self, intent_ref: str) -> str:
        """No order waits for its customer here."""
        raise _unsupported("intent_secret")

    def list_intents(
        self, *, customer_ref: str, created_from: datetime, payment_id: UUID | None = None
    ) -> Iterator[IntentFacts]:
        """The orders of that attempt, by the account's report of the hours in which its key was good.

        A report that does not reach so far yet raises `ProviderUnavailable`: it is no evidence.
        """
        rows = listing.transactions(
            self._ask, listing.charge, created_from, created_from + _SEARCHED, fresh=payment_id is not None
        )
        for each in rows:
            if payment_id is None or each.metadata_payment == str(payment_id):
                order_ref = each.intent_ref or self._order_of(each.charge_ref)
                yield self.read_intent(order_ref)

    def _order_of(self, charge_ref: str) -> str:
        capture = self._one("/v2/payments/captures", charge_ref, lambda raw: raw)
        order_ref = facts.order_of(capture)
        if order_ref is None:
            raise ProviderRefused("paypal: a capture without its order", code="order_unknown")
        return order_ref

    def read_charge(self, charge_ref: str) -> ListedCharge:
        """The present state of a capture."""
        return self._one("/v2/payments/captures", charge_ref, facts.listed_charge)

    def list_charges(self, *, intent_ref: str) -> Iterator[ChargeFacts]:
        """The order's one capture, if there is one."""
        charge = self.read_intent(intent_ref).latest_charge
        return iter([charge] if charge else [])

    def refund(self, *, refund_id: UUID, charge_ref: str, amount_minor: int, currency: str, key: str) -> RefundFacts:
        """Refund part of a capture, with our id of it and nothing else."""
        value = to_provider(amount_minor, currency, documented_only=self._documented_only)
        body = {"amount": {"currency_code": currency.upper(), "value": value}, "custom_id": str(refund_id)}
        path = f"/v2/payments/captures/{_id(charge_ref)}/refund"
        return self._write(path, body, lambda raw: facts.our_refund(raw, refund_id, charge_ref=charge_ref), key=key)

    def read_refund(self, refund_ref: str) -> RefundFacts:
        """The present state of a refund."""
        return self._one("/v2/payments/refunds", refund_ref, facts.refund_facts)

    def list_refunds(self, *, charge_ref: str) -> Iterator[RefundFacts]:
        """Every refund of the capture: its order shows them all."""
        order_ref = self._order_of(charge_ref)
        return iter(
            self._one("/v2/checkout/orders", order_ref, lambda raw: facts.refunds_of(raw, charge_ref=charge_ref))
        )

    def read_payout(self, payout_ref: str) -> PayoutFacts:
        """PayPal's balance is the seller's to withdraw; there is no payout to read."""
        raise _unsupported("payouts")

    def payout_movement_pages(self, *, payout_ref: str, after: str | None = None) -> Iterator[list[ListedMovement]]:
        """As `read_payout`."""
        raise _unsupported("payouts")

    def charge_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedCharge]]:
        """See the port; oldest first."""
        return self._pages(listing.charge, created_from, created_to)

    def newest_charges(self, *, now: datetime) -> list[ListedCharge]:
        """The report's last page, and what events tell of the hours that it may not show yet."""
        return listing.newest(self._ask, listing.charge, listing.charge_told, now=now)

    def newest_refunds(self, *, now: datetime) -> list[ListedRefund]:
        """As `newest_charges`."""
        return listing.newest(self._ask, listing.refund, listing.refund_told, now=now)

    def lists_reach(self, until: datetime) -> bool:
        """Whether the report shows all that happened before."""
        return listing.reaches(self._ask, until)

    def refund_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedRefund]]:
        """Every refund of the account."""
        return self._pages(listing.refund, created_from, created_to)

    def dispute_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedDispute]]:
        """Every dispute of the account; the list has no transactions, so each is read."""
        refs = listing.dispute_refs(self._ask, created_from)
        found = (self._one(_DISPUTES, each, disputes.listed, name="dispute_id") for each in refs)
        return listing.in_pages(each for each in found if each.created < created_to)

    def movement_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedMovement]]:
        """Every movement of the account's balance."""
        return self._pages(listing.movement, created_from, created_to)

    def event_pages(self, *, created_from: datetime, created_to: datetime) -> Iterator[list[ListedEvent]]:
        """Every event of the account that PayPal still lists."""
        found = listing.events(self._ask, created_from, created_to)
        return listing.in_pages(replace(each, facts=replace(each.facts, livemode=self._livemode)) for each in found)

    def _pages(
        self, parse: Callable[[Raw], T | None], created_from: datetime, created_to: datetime
    ) -> Iterator[list[T]]:
        return listing.in_pages(listing.transactions(self._ask, parse, created_from, created_to))

    def _ask(self, path: str, query: dict[str, str], parse: Callable[[Raw], Any]) -> Any:
        return self._read(path, parse, query)

    def read_dispute(self, dispute_ref: str) -> DisputeFacts:
        """The present state of a dispute, with what it has moved."""
        return self._one(_DISPUTES, dispute_ref, disputes.dispute_facts, name="dispute_id")

    def read_fraud_warning(self, warning_ref: str) -> FraudWarningFacts:
        """PayPal gives no early warnings."""
        raise _unsupported("fraud_warnings")

    def get_ready(self, signatures: Iterable[str], *, secrets: list[str], wall_now: datetime) -> None:
        """Fetch the certificates that these deliveries name, where they are not known and the rest may be PayPal's."""
        for packed in signatures:
            with suppress(Refused):
                signed = plausible(packed, webhook_ids=secrets, wall_now=wall_now)
                self._certificates.get_ready(signed.cert_url, sender=signed.sender, wall_now=wall_now)

    def verify_event(self, *, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
        """See `signature.verify_event`; no request is made. `secrets` are ids of webhooks."""
        return verify_event(
            raw=raw,
            signature=signature,
            webhook_ids=secrets,
            certificates=self._certificates,
            wall_now=wall_now,
            livemode=self._livemode,
        )

    def _one(self, path: str, ref: str, parse: Callable[[Raw], T], *, name: str = "id") -> T:
        """One object by its id; another one's is no answer."""
        return self._read(f"{path}/{_id(ref)}", lambda raw: parse(same(raw, name, ref)))

    def _read(self, path: str, parse: Callable[[Raw], T], query: dict[str, str] | None = None) -> T:
        return guarded(lambda: parse(self._client.get(path, query).body), Failure.of_a_read)

    def _write(self, path: str, body: dict[str, Any], parse: Callable[[Raw], T], *, key: str) -> T:
        return guarded(lambda: parse(self._client.post(path, body, key=key).body), Failure.of_a_write)


def _id(ref: str) -> str:
    return quote(ref, safe="")


def _unsupported(what: str) -> ProviderRefused:
    return ProviderRefused(f"paypal: there are no {what}", code="not_supported")
