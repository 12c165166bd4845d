"""Lists of a whole Stripe account between two moments, or of a payout: a page at a time, newest first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from billing.providers import reading
from billing.providers.events import ListedEvent
from billing.providers.listed import ListedCharge, ListedDispute, ListedMovement, ListedRefund
from billing.providers.port import PAGE
from billing.providers.stripe import facts
from billing.providers.stripe.signature import event_facts

T = TypeVar("T")
Read = Callable[[Callable[[], Any]], Any]
"""Makes one request and turns its failure into a kernel error."""


def pages(
    read: Read,
    ask: Callable[[dict[str, Any]], Any],
    parse: Callable[[reading.Raw], T],
    where: dict[str, Any],
    *,
    after: str | None = None,
    limit: int = PAGE,
) -> Iterator[list[T]]:
    """Every object of which that holds, or those behind one; one page in memory. Raises rather than end early.

    Whole pages: a short one is the last, as the port's callers take it. Stripe's may be shorter than was asked for.
    """
    page: list[T] = []
    while True:
        wanted = limit - len(page)
        params: dict[str, Any] = {**where, "limit": wanted, **({"starting_after": after} if after else {})}

        def one_page(params: dict[str, Any] = params) -> tuple[list[T], str | None]:
            raw = ask(params).to_dict()
            rows, more = raw.get("data"), raw.get("has_more")
            if not isinstance(rows, list) or not isinstance(more, bool) or (more and not rows):
                raise reading.Unreadable("data")
            last = reading.text(rows[-1], "id") if more else None
            if last is not None and last == params.get("starting_after"):
                # The same page again: whoever reads on would do so for ever.
                raise reading.Unreadable("has_more")
            return [parse(row) for row in rows], last

        items, after = read(one_page)
        page += items
        if after is None:
            yield page
            return
        if len(page) >= limit:
            yield page
            page = []


def created(created_from: datetime, created_to: datetime) -> dict[str, Any]:
    """Of what was created in [from, to), whole seconds."""
    return {"created": {"gte": int(created_from.timestamp()), "lt": int(created_to.timestamp())}}


def charge(raw: reading.Raw, *, documented_only: bool = True) -> ListedCharge:
    """A charge as a list shows it. Raises `Unreadable`."""
    known = facts.charge_facts(raw, documented_only=documented_only)
    metadata = reading.inner(raw, "metadata")
    return ListedCharge(
        charge_ref=known.charge_ref,
        status=known.status,
        amount_minor=known.amount_minor,
        refunded_minor=known.refunded_minor,
        currency=known.currency,
        created=known.created,
        intent_ref=facts.reference(raw, "payment_intent"),
        customer_ref=facts.reference(raw, "customer"),
        method_ref=known.method_ref,
        metadata_invoice=reading.optional(metadata, "invoice_id"),
        metadata_payment=reading.optional(metadata, "payment_id"),
        balance_ref=facts.reference(raw, "balance_transaction"),
    )


def refund(raw: reading.Raw, *, documented_only: bool = True) -> ListedRefund:
    """A refund as a list shows it. Raises `Unreadable`."""
    known = facts.refund_facts(raw, documented_only=documented_only)
    return ListedRefund(
        refund_ref=known.refund_ref,
        status=known.status,
        amount_minor=known.amount_minor,
        currency=known.currency,
        created=facts.moment(raw),
        charge_ref=known.charge_ref,
        metadata_refund=known.metadata_refund,
    )


def dispute(raw: reading.Raw) -> ListedDispute:
    """A dispute as a list shows it. Raises `Unreadable`."""
    return ListedDispute(
        dispute_ref=facts.object_ref(raw, "dispute"),
        status=facts.dispute_status(raw),
        amount_minor=facts.amount_minor(raw),
        currency=reading.text(raw, "currency"),
        created=facts.moment(raw),
        charge_ref=facts.reference(raw, "charge") or "",
    )


def movement(raw: reading.Raw) -> ListedMovement:
    """A balance transaction as a list shows it. Raises `Unreadable`.

    Of the type `adjustment` some are fees (docs.stripe.com/reports/reporting-categories).
    """
    type_ = reading.text(raw, "type")
    is_fee = type_ == "adjustment" and raw.get("reporting_category") == "fee"
    return ListedMovement(
        balance_ref=facts.object_ref(raw, "balance_transaction"),
        type="stripe_fee" if is_fee else type_,
        source_ref=facts.reference(raw, "source"),
        amount_minor=facts.amount_minor(raw),
        fee_minor=facts.amount_minor(raw, "fee"),
        currency=reading.text(raw, "currency"),
        created=facts.moment(raw),
    )


def event(raw: reading.Raw) -> ListedEvent:
    """An event as a list shows it, its body as a delivery has it. Raises `Unreadable`."""
    return ListedEvent(event_facts(raw), json.dumps(raw, separators=(",", ":")).encode())
