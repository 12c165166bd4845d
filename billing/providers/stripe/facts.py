"""Stripe's objects → our facts. What is not named here is dropped: holder names, e-mails, phones, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from billing.kernel.errors import Refused
from billing.providers.listed import PayoutFacts
from billing.providers.port import (
    AccountFacts,
    ChargeFacts,
    DisputeFacts,
    FraudWarningFacts,
    IntentFacts,
    MandateFacts,
    MethodFacts,
    RefundFacts,
    SetupFacts,
    SetupStarted,
)
from billing.providers.reading import Raw, Unreadable, code, inner, optional, text, whole
from billing.providers.stripe.amounts import from_provider
from billing.providers.stripe.kinds import TYPES, kind_of


def reference(raw: Raw, name: str) -> str | None:
    """The id in a field that holds an id, an expanded object or null."""
    value = raw.get(name)
    return optional(value, "id") if isinstance(value, Mapping) else optional(raw, name)


def moment(raw: Raw, name: str = "created") -> datetime:
    """A Unix second as aware UTC. Raises `Unreadable`."""
    try:
        return datetime.fromtimestamp(whole(raw, name), UTC)
    except (OverflowError, OSError, ValueError):
        raise Unreadable(name) from None


def amount_minor(raw: Raw, name: str = "amount", *, documented_only: bool = True) -> int:
    """An amount in our minor units; for `documented_only` see `to_provider`. Raises `Unreadable`."""
    try:
        return from_provider(whole(raw, name), text(raw, "currency"), documented_only=documented_only)
    except Refused:
        raise Unreadable(name) from None


_CHARGE_STATUSES = frozenset({"succeeded", "pending", "failed"})


def charge_facts(raw: Raw, *, documented_only: bool = True) -> ChargeFacts:
    """A charge. The decline code is the issuer's reason where there is one, else Stripe's failure code.

    Raises `Unreadable`, also for a status that we don't know: it is evidence of nothing.
    """
    _expect(raw, "charge")
    status = text(raw, "status")
    if status not in _CHARGE_STATUSES:
        raise Unreadable("status")
    verdict = inner(raw, "outcome") if status == "failed" else {}
    type_ = optional(inner(raw, "payment_method_details"), "type")
    return ChargeFacts(
        charge_ref=text(raw, "id"),
        status=status,
        amount_minor=amount_minor(raw, documented_only=documented_only),
        currency=text(raw, "currency"),
        created=moment(raw),
        decline_code=code(verdict, "reason") or (code(raw, "failure_code") if status == "failed" else None),
        advice_code=code(verdict, "advice_code"),
        refunded_minor=amount_minor(raw, "amount_refunded", documented_only=documented_only),
        method_ref=reference(raw, "payment_method"),
        method_kind=kind_of(type_) if type_ else None,
    )


def intent_facts(raw: Raw, *, asked_for: str | None = None, documented_only: bool = True) -> IntentFacts:
    """A payment intent whose latest charge was asked for expanded.

    Raises `Unreadable` where the charge came as an id, where money moved by none, or where this is not the intent that
    was asked for.
    """
    _expect(raw, "payment_intent")
    if asked_for is not None and raw.get("id") != asked_for:
        raise Unreadable("id")
    latest, status = raw.get("latest_charge"), text(raw, "status")
    if isinstance(latest, str) or (status == "succeeded" and not isinstance(latest, Mapping)):
        raise Unreadable("latest_charge")
    metadata = inner(raw, "metadata")
    return IntentFacts(
        intent_ref=text(raw, "id"),
        status=status,
        amount_minor=amount_minor(raw, documented_only=documented_only),
        currency=text(raw, "currency"),
        customer_ref=reference(raw, "customer"),
        created=moment(raw),
        metadata_invoice=optional(metadata, "invoice_id"),
        metadata_payment=optional(metadata, "payment_id"),
        latest_charge=charge_facts(latest, documented_only=documented_only) if isinstance(latest, Mapping) else None,
        last_error_code=code(inner(raw, "last_payment_error"), "decline_code", "code"),
    )


def refund_facts(raw: Raw, *, documented_only: bool = True) -> RefundFacts:
    """A refund. A status that we don't know is `pending`: it is asked about again."""
    _expect(raw, "refund")
    status = text(raw, "status")
    return RefundFacts(
        refund_ref=text(raw, "id"),
        status=status if status in _REFUND_STATUSES else "pending",
        amount_minor=amount_minor(raw, documented_only=documented_only),
        currency=text(raw, "currency"),
        charge_ref=reference(raw, "charge"),
        metadata_refund=optional(inner(raw, "metadata"), "refund_id"),
        failure_reason=code(raw, "failure_reason"),
    )


_REFUND_STATUSES = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})


def payout_facts(raw: Raw) -> PayoutFacts:
    """A payout. A status that we don't know is `in_transit`: it is asked about again."""
    _expect(raw, "payout")
    status, reconciled = text(raw, "status"), raw.get("reconciliation_status")
    return PayoutFacts(
        payout_ref=text(raw, "id"),
        status=status if status in _PAYOUT_STATUSES else "in_transit",
        amount_minor=amount_minor(raw),
        currency=text(raw, "currency"),
        arrives_at=moment(raw, "arrival_date"),
        listed=reconciled != "in_progress",
        by_hand=raw.get("automatic") is False or reconciled == "not_applicable",
    )


_PAYOUT_STATUSES = frozenset({"pending", "in_transit", "paid", "failed", "canceled"})


def dispute_facts(raw: Raw) -> DisputeFacts:
    """A dispute. What moved is read from its balance transactions: an inquiry has none."""
    _expect(raw, "dispute")
    taken, given = _moved(raw)
    moves = raw.get("balance_transactions") or []
    evidence = inner(raw, "evidence_details")
    return DisputeFacts(
        dispute_ref=text(raw, "id"),
        charge_ref=reference(raw, "charge") or text(raw, "charge"),
        status=dispute_status(raw),
        amount_minor=amount_minor(raw),
        currency=text(raw, "currency"),
        reason=code(raw, "reason"),
        created=moment(raw),
        due_by=moment(evidence, "due_by") if evidence.get("due_by") else None,
        refundable=raw.get("is_charge_refundable") is True,
        withdrawn_minor=taken,
        reinstated_minor=given,
        moved_currency=text(moves[0], "currency") if moves else None,
        appeal=raw.get("status") in _APPEALS,
        mixed=len({text(each, "currency") for each in moves}) > 1,
    )


def dispute_status(raw: Raw) -> str:
    """In our words. One that we don't know is under review: its money is booked, and it is asked about again.

    An appeal asks, and waits, as any dispute does (docs.stripe.com/changelog/endive/2026-10-28). One that was prevented
    is over: a block has moved nothing, a resolution has given the customer the money back, and is a loss where that
    came from our balance (docs.stripe.com/changelog/basil/2025-08-27/add-preventions-to-dispute).
    """
    status = text(raw, "status")
    status = _APPEALS.get(status, status)
    if status in _DISPUTE_STATUSES:
        return status
    taken, given = _moved(raw)
    if status == "prevented":
        return "lost" if taken > given else "warning_closed"
    return "under_review" if taken else "warning_under_review"


def _moved(raw: Raw) -> tuple[int, int]:
    """What a dispute has taken from our balance, and given back."""
    moves = raw.get("balance_transactions") or []
    amounts = [(whole(each, "amount"), amount_minor(each)) for each in moves]
    return -sum(minor for amount, minor in amounts if amount < 0), sum(minor for amount, minor in amounts if amount > 0)


_APPEALS = {"appeal_needs_response": "needs_response", "appeal_under_review": "under_review"}
_DISPUTE_STATUSES = frozenset(
    {
        "warning_needs_response",
        "warning_under_review",
        "warning_closed",
        "needs_response",
        "under_review",
        "won",
        "lost",
    }
)


def fraud_warning_facts(raw: Raw) -> FraudWarningFacts:
    """An early fraud warning."""
    _expect(raw, "radar.early_fraud_warning")
    return FraudWarningFacts(
        warning_ref=text(raw, "id"),
        charge_ref=reference(raw, "charge") or text(raw, "charge"),
        fraud_type=code(raw, "fraud_type"),
        actionable=raw.get("actionable") is True,
        created=moment(raw),
    )


def object_ref(raw: Raw, kind: str) -> str:
    """The id of an object of this kind. Raises `Unreadable`."""
    _expect(raw, kind)
    return text(raw, "id")


def account_facts(raw: Raw, *, livemode: bool) -> AccountFacts:
    """Whose key this is, and what Stripe has switched on for them. Raises `Unreadable`."""
    may = inner(raw, "capabilities")
    kinds = tuple(kind for kind, type_ in TYPES.items() if may.get(f"{type_}_payments") == "active")
    return AccountFacts(account_ref=object_ref(raw, "account"), livemode=livemode, kinds=kinds)


def setup_started(raw: Raw) -> SetupStarted:
    """A set-up that the customer now completes with Stripe."""
    return SetupStarted(setup_ref=object_ref(raw, "setup_intent"), client_secret=text(raw, "client_secret"))


def intent_secret(raw: Raw, *, asked_for: str) -> str:
    """The client secret of this very intent. Raises `Unreadable`."""
    if object_ref(raw, "payment_intent") != asked_for:
        raise Unreadable("id")
    return text(raw, "client_secret")


def method_facts(raw: Raw) -> MethodFacts:
    """A payment method's display details."""
    _expect(raw, "payment_method")
    type_ = text(raw, "type")
    shown = inner(raw, type_)
    month, year = shown.get("exp_month"), shown.get("exp_year")
    return MethodFacts(
        method_ref=text(raw, "id"),
        kind=kind_of(type_),
        customer_ref=reference(raw, "customer"),
        brand=optional(shown, "brand"),
        last4=optional(shown, "last4"),
        exp_month=month if isinstance(month, int) else None,
        exp_year=year if isinstance(year, int) else None,
        funding=optional(shown, "funding"),
        issuing_country=optional(shown, "country"),
        wallet=optional(inner(shown, "wallet"), "type"),
        fingerprint=optional(shown, "fingerprint"),
    )


def setup_facts(raw: Raw) -> SetupFacts:
    """The state of a set-up of a method."""
    _expect(raw, "setup_intent")
    return SetupFacts(
        setup_ref=text(raw, "id"),
        status=text(raw, "status"),
        method_ref=reference(raw, "payment_method"),
        mandate_ref=reference(raw, "mandate"),
    )


def mandate_facts(raw: Raw) -> MandateFacts:
    """The state of a mandate; what was accepted where, and the address of its text, are dropped."""
    details = inner(raw, "payment_method_details")
    return MandateFacts(
        mandate_ref=object_ref(raw, "mandate"),
        status=text(raw, "status"),
        method_ref=reference(raw, "payment_method"),
        reference=optional(inner(details, optional(details, "type") or ""), "reference"),
    )


def is_living(raw: Raw) -> bool:
    """Whether a customer is there still. Raises `Unreadable`."""
    _expect(raw, "customer")
    return raw.get("deleted") is not True


def _expect(raw: Raw, kind: str) -> None:
    if raw.get("object") != kind:
        raise Unreadable("object")
