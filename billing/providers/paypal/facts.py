"""PayPal's objects → our facts. What is not named here is dropped: payers' names, e-mails, phones and addresses.

An order with one capture is the intent of one attempt: once it is declined it takes no other try, so it shows as
canceled, and the next attempt makes a successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused
from billing.providers.listed import ListedCharge
from billing.providers.paypal.amounts import from_provider
from billing.providers.paypal.declines import advice, by_processor
from billing.providers.paypal.naming import attempt_of, customer_of, invoice_of
from billing.providers.port import ChargeFacts, IntentFacts, MethodFacts, RefundFacts, SetupFacts, SetupStarted
from billing.providers.reading import Raw, Unreadable, inner, optional, same, text

_CAPTURES = {
    "COMPLETED": "succeeded",
    "PARTIALLY_REFUNDED": "succeeded",
    "REFUNDED": "succeeded",
    "PENDING": "pending",
    "DECLINED": "failed",
    "FAILED": "failed",
}
_INTENTS = {"succeeded": "succeeded", "pending": "processing", "failed": "canceled"}
_WITHOUT_CAPTURE = {
    "CREATED": "requires_action",
    "SAVED": "requires_action",
    "APPROVED": "requires_action",
    "PAYER_ACTION_REQUIRED": "requires_action",
    "VOIDED": "canceled",
}
"""Orders that have moved nothing. A completed one has its capture: where that is not shown, nothing is known of it."""
_REFUNDS = {"COMPLETED": "succeeded", "PENDING": "pending", "FAILED": "failed", "CANCELLED": "canceled"}


def moment(raw: Raw, name: str = "create_time") -> datetime:
    """An ISO 8601 instant. Raises `Unreadable`."""
    try:
        return parse_instant(text(raw, name))
    except Refused:
        raise Unreadable(name) from None


def money(raw: Raw, name: str = "amount") -> tuple[int, str]:
    """An amount in our minor units, and its currency. Raises `Unreadable`."""
    amount = inner(raw, name)
    currency = text(amount, "currency_code").lower()
    try:
        return from_provider(text(amount, "value"), currency), currency
    except Refused:
        raise Unreadable(name) from None


def first(raw: Raw, name: str) -> Raw:
    """The first object of a list; empty where there is none."""
    rows = raw.get(name)
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}


def objects(raw: Raw, name: str) -> list[Raw]:
    """The objects of a list; none where it is null or missing. Raises `Unreadable` where one is no object."""
    rows = raw.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(each, Mapping) for each in rows):
        raise Unreadable(name)
    return rows


def capture_of(order: Raw) -> Raw:
    """The order's capture; empty where nothing was tried yet."""
    return first(inner(first(order, "purchase_units"), "payments"), "captures")


def charge_facts(capture: Raw, *, refunded_minor: int = 0) -> ChargeFacts:
    """A capture. Raises `Unreadable`, also for a status that we don't know."""
    status = _CAPTURES.get(text(capture, "status"))
    if status is None:
        raise Unreadable("status")
    amount, currency = money(capture)
    answered = inner(capture, "processor_response")
    return ChargeFacts(
        charge_ref=text(capture, "id"),
        status=status,
        amount_minor=amount,
        currency=currency,
        created=moment(capture),
        decline_code=by_processor(optional(answered, "response_code")) if status == "failed" else None,
        advice_code=advice(optional(answered, "payment_advice_code")) if status == "failed" else None,
        held_as=f"held_{_reason(capture) or 'other'}" if status == "pending" else None,
        refunded_minor=refunded_minor,
    )


def listed_charge(capture: Raw) -> ListedCharge:
    """A capture, as the account's report shows it."""
    known = charge_facts(capture)
    return ListedCharge(
        charge_ref=known.charge_ref,
        status=known.status,
        amount_minor=known.amount_minor,
        refunded_minor=0,
        currency=known.currency,
        created=known.created,
        intent_ref=order_of(capture),
        customer_ref=customer_of(optional(capture, "custom_id")),
        method_ref=None,
        metadata_invoice=invoice_of(optional(capture, "invoice_id")),
        metadata_payment=attempt_of(optional(capture, "custom_id")),
        balance_ref=known.charge_ref,
    )


def intent_facts(order: Raw) -> IntentFacts:
    """An order of ours. Raises `Unreadable`, also where it may have moved money and does not show by which capture."""
    unit = first(order, "purchase_units")
    amount, currency = money(unit)
    capture = capture_of(order)
    charge = charge_facts(capture, refunded_minor=_refunded(unit)) if capture else None
    return IntentFacts(
        intent_ref=text(order, "id"),
        status=_INTENTS[charge.status] if charge else _without_capture(order),
        amount_minor=amount,
        currency=currency,
        customer_ref=customer_of(optional(unit, "custom_id")),
        created=moment(order),
        metadata_invoice=invoice_of(optional(unit, "invoice_id")),
        metadata_payment=attempt_of(optional(unit, "custom_id")),
        latest_charge=charge,
        last_error_code=charge.decline_code if charge else None,
    )


def _refunded(unit: Raw) -> int:
    refunds = objects(inner(unit, "payments"), "refunds")
    return sum(money(each)[0] for each in refunds if each.get("status") == "COMPLETED")


def _without_capture(order: Raw) -> str:
    status = _WITHOUT_CAPTURE.get(text(order, "status"))
    if status is None:
        raise Unreadable("captures")
    return status


def refund_facts(raw: Raw, *, charge_ref: str | None = None) -> RefundFacts:
    """A refund. A status that we don't know is `pending`: it is asked about again."""
    amount, currency = money(raw)
    return RefundFacts(
        refund_ref=text(raw, "id"),
        status=_REFUNDS.get(text(raw, "status"), "pending"),
        amount_minor=amount,
        currency=currency,
        charge_ref=charge_ref or captured_by(raw),
        metadata_refund=optional(raw, "custom_id"),
        failure_reason=_reason(raw),
    )


def our_refund(raw: Raw, refund_id: UUID, *, charge_ref: str) -> RefundFacts:
    """The refund that was ordered under our id. Raises `Unreadable` where it is another one."""
    found = refund_facts(raw, charge_ref=charge_ref)
    if found.metadata_refund not in (None, str(refund_id)):
        raise Unreadable("custom_id")
    return found


def refunds_of(order: Raw, *, charge_ref: str) -> list[RefundFacts]:
    """All refunds of an order's one capture. Raises `Unreadable` where the order does not show that capture."""
    same(capture_of(order), "id", charge_ref)
    refunds = objects(inner(first(order, "purchase_units"), "payments"), "refunds")
    return [refund_facts(each, charge_ref=charge_ref) for each in refunds]


def captured_by(refund: Raw) -> str | None:
    """The capture that a refund is of."""
    return _above(refund)[1]


def order_of(capture: Raw) -> str | None:
    """The order that a capture is of. PayPal names it beside the capture, or by a link alone."""
    named = optional(inner(inner(capture, "supplementary_data"), "related_ids"), "order_id")
    kind, above = _above(capture)
    return named or (above if kind == "orders" else None)


def _above(raw: Raw) -> tuple[str, str | None]:
    """What the `up` link leads to: which kind of thing, and its id."""
    links = raw.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, Mapping) and link.get("rel") == "up":
            kind, _, id_ = str(link.get("href", "")).rstrip("/").rpartition("/")
            return kind.rpartition("/")[2], id_ or None
    return "", None


def _reason(raw: Raw) -> str | None:
    reason = optional(inner(raw, "status_details"), "reason")
    return reason.lower() if reason and len(reason) <= 64 and reason.replace("_", "").isalnum() else None


def method_facts(token: Raw) -> MethodFacts:
    """A payment token: of the payer nothing but the anonymous id that it is filed under."""
    return MethodFacts(
        method_ref=text(token, "id"),
        kind="paypal",
        customer_ref=optional(inner(token, "customer"), "merchant_customer_id"),
        brand="paypal",
    )


def setup_started(token: Raw) -> SetupStarted:
    """A setup token, with the page at which the payer agrees."""
    approve = [each for each in objects(token, "links") if each.get("rel") == "approve"]
    return SetupStarted(text(token, "id"), approve_url=text(first({"of": approve}, "of"), "href"))


VAULTED = "succeeded"
"""A setup token of which a payment token was made."""
APPROVED = "approved"
"""A setup token that the payer has agreed to, and that is not made a payment token yet."""


def setup_facts(token: Raw) -> SetupFacts:
    """A setup token. Approved, it may be made a payment token; of which it was made, it does not say."""
    status = {"APPROVED": APPROVED, "VAULTED": VAULTED}.get(text(token, "status"), "requires_action")
    return SetupFacts(
        setup_ref=text(token, "id"),
        status=status,
        method_ref=None,
        mandate_ref=None,
    )
