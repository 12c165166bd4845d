"""PayPal's events → facts: of which kind, and which object is to be read again. The resource in the body is a hint."""

from __future__ import annotations

from billing.providers.events import EventFacts
from billing.providers.paypal.facts import moment, order_of
from billing.providers.reading import Raw, Unreadable, inner, optional, text

_READ_AGAIN = ("refund", "payment_token")


def event_facts(event: Raw, *, livemode: bool = False, secret_index: int | None = None) -> EventFacts:
    """What we act on of an event. Raises `Unreadable`. PayPal's bodies don't say their mode: the account does."""
    if not isinstance(event, dict):
        raise Unreadable("event")
    kind, resource = optional(event, "resource_type") or "", inner(event, "resource")
    type_ = text(event, "event_type")
    return EventFacts(
        event_ref=text(event, "id"),
        type=type_,
        object_ref=_object(kind, resource),
        object_type=kind,
        created=moment(event),
        livemode=livemode,
        secret_index=secret_index,
    )


def _object(kind: str, resource: Raw) -> str:
    """Of a capture its order, which is what an attempt is read by; of a refund itself; of a dispute its own id.

    Empty for what is none of ours and has no id there: a seller's own invoice, a batch of payouts.
    """
    if kind == "dispute":
        return text(resource, "dispute_id")
    if kind == "capture":
        return order_of(resource) or text(resource, "id")
    return text(resource, "id") if kind in _READ_AGAIN else optional(resource, "id") or ""
