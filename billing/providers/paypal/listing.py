"""Lists of a whole PayPal account between two moments: its report of transactions, its disputes, its events.

The report shows a transaction up to three hours late, and says how far it goes (`last_refreshed_datetime`). It knows no
customers; `custom_field` is the name that we gave (`naming`). Windows are at most 31 days; one with more than 10,000
transactions is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from billing.kernel.errors import ProviderRefused, ProviderUnavailable
from billing.providers.events import ListedEvent
from billing.providers.listed import ListedCharge, ListedMovement, ListedRefund
from billing.providers.paypal.events import event_facts
from billing.providers.paypal.facts import listed_charge, moment, money, refund_facts
from billing.providers.paypal.naming import attempt_of, customer_of
from billing.providers.port import PAGE
from billing.providers.reading import Raw, Unreadable, inner, optional, text, whole

T = TypeVar("T")
Ask = Callable[[str, dict[str, str], Callable[[Raw], Any]], Any]
"""(path, query, parse) → what one request was read as; a failure is a kernel error."""

_REPORT = "/v1/reporting/transactions"
WIDEST = timedelta(days=31)
LATE_S = 3 * 3600.0
DISPUTES_BACK_S = 179 * 86_400.0
"""PayPal takes a `start_time` of the last 180 days."""
_SLACK_S = 3600.0
MAX_PAGES = 1000
TOO_MANY = "resultset_too_large"
"""PayPal's code where a window of the report holds more than it lists."""
_PAYMENTS, _REFUNDS = "T00", ("T1107", "T1108")
_STATUS = {"S": "succeeded", "V": "succeeded", "P": "pending", "D": "failed"}


def transactions(
    ask: Ask, parse: Callable[[Raw], T | None], created_from: datetime, created_to: datetime, *, fresh: bool = False
) -> Iterator[T]:
    """Every transaction that `parse` takes, oldest window first. `fresh`: the report must reach to the end.

    Raises rather than end early, or than show less than the whole window where that is wanted.
    """
    start, width = created_from, WIDEST
    while start < created_to:
        end = min(start + width, created_to)
        try:
            rows = _whole(ask, start, end, fresh=fresh)
        except ProviderRefused as refused:
            width = _narrower(end - start, refused)
            continue
        yield from (found for found in map(parse, rows) if found is not None)
        start = end


def _whole(ask: Ask, start: datetime, end: datetime, *, fresh: bool) -> list[Raw]:
    """All that the report shows of a window: nothing is handed on before it is there whole, as it may be cut anew."""
    query, read = _window(start, end), list[Raw]()
    for page in range(1, MAX_PAGES + 1):
        rows, pages, reached = ask(_REPORT, query | {"page": str(page)}, _report)
        if fresh and reached < end:
            raise ProviderUnavailable("paypal: report_not_complete_yet")
        read += rows
        if page >= pages:
            return read
    raise ProviderUnavailable("paypal: list_without_end")


def _narrower(width: timedelta, refused: ProviderRefused) -> timedelta:
    """Half of a window that holds too many, in whole seconds. Raises `refused` where it was for anything else."""
    half = timedelta(seconds=width // timedelta(seconds=2))
    if refused.code != TOO_MANY or not half:
        raise refused
    return half


def newest(
    ask: Ask, parse: Callable[[Raw], T | None], told: Callable[[ListedEvent], T | None], *, now: datetime
) -> list[T]:
    """The last page of what the report shows of the month before, and what events tell of the hours that it may not."""
    recent = events(ask, now - timedelta(seconds=LATE_S + _SLACK_S), now + timedelta(days=1))
    return [found for found in (*map(parse, _last_page(ask, now)), *map(told, recent)) if found is not None]


def _last_page(ask: Ask, now: datetime) -> list[Raw]:
    width = WIDEST
    while True:
        query = _window(now - width, now)
        try:
            rows, pages, _ = ask(_REPORT, query | {"page": "1"}, _report)
            if pages > 1:
                rows, _, _ = ask(_REPORT, query | {"page": str(pages)}, _report)
        except ProviderRefused as refused:
            width = _narrower(width, refused)
        else:
            return list[Raw](rows)


def _window(start: datetime, end: datetime) -> dict[str, str]:
    return {"start_date": _at(start), "end_date": _at(end), "fields": "transaction_info", "page_size": str(PAGE)}


def reaches(ask: Ask, until: datetime) -> bool:
    """Whether the report goes as far as that."""
    query = _window(until - timedelta(minutes=1), until) | {"page_size": "1", "page": "1"}
    _, _, reached = ask(_REPORT, query, _report)
    return bool(reached >= until)


def charge_told(event: ListedEvent) -> ListedCharge | None:
    """The capture that an event tells of, as it was then; None for any other event."""
    if event.facts.object_type != "capture":
        return None
    return listed_charge(inner(json.loads(event.raw), "resource"))


def refund_told(event: ListedEvent) -> ListedRefund | None:
    """The refund that an event tells of, as it was then; None for any other event."""
    if event.facts.object_type != "refund":
        return None
    resource = inner(json.loads(event.raw), "resource")
    facts = refund_facts(resource)
    return ListedRefund(
        refund_ref=facts.refund_ref,
        status=facts.status,
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        created=event.facts.created,
        charge_ref=facts.charge_ref,
        metadata_refund=facts.metadata_refund,
    )


def in_pages(rows: Iterator[T]) -> Iterator[list[T]]:
    """Whole pages: a short one is the last, as the port's callers take it."""
    page: list[T] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    yield page


def _report(raw: Raw) -> tuple[list[Raw], int, datetime]:
    rows = raw.get("transaction_details")
    if not isinstance(rows, list):
        raise Unreadable("transaction_details")
    return (
        [inner(row, "transaction_info") for row in rows],
        whole(raw, "total_pages"),
        moment(raw, "last_refreshed_datetime"),
    )


def charge(info: Raw) -> ListedCharge | None:
    """A payment to us; None for any other transaction. Raises `Unreadable`."""
    amount, currency = money(info, "transaction_amount")
    if not text(info, "transaction_event_code").startswith(_PAYMENTS) or amount <= 0:
        return None
    return ListedCharge(
        charge_ref=text(info, "transaction_id"),
        status=_status(info),
        amount_minor=amount,
        refunded_minor=0,
        currency=currency,
        created=moment(info, "transaction_initiation_date"),
        intent_ref=optional(info, "paypal_reference_id") if info.get("paypal_reference_id_type") == "ODR" else None,
        customer_ref=customer_of(optional(info, "custom_field")),
        method_ref=None,
        metadata_invoice=optional(info, "invoice_id"),
        metadata_payment=attempt_of(optional(info, "custom_field")),
        balance_ref=text(info, "transaction_id"),
    )


def refund(info: Raw) -> ListedRefund | None:
    """A refund of ours; None for any other transaction. Raises `Unreadable`."""
    if text(info, "transaction_event_code") not in _REFUNDS:
        return None
    amount, currency = money(info, "transaction_amount")
    return ListedRefund(
        refund_ref=text(info, "transaction_id"),
        status=_status(info),
        amount_minor=-amount,
        currency=currency,
        created=moment(info, "transaction_initiation_date"),
        charge_ref=optional(info, "paypal_reference_id"),
        metadata_refund=optional(info, "custom_field"),
    )


def movement(info: Raw) -> ListedMovement | None:
    """What moved the balance; None for what is not settled. An id may stand for two transactions of other kinds."""
    if _status(info) != "succeeded":
        return None
    code, id_ = text(info, "transaction_event_code"), text(info, "transaction_id")
    amount, currency = money(info, "transaction_amount")
    kind = "charge" if code.startswith(_PAYMENTS) else "refund" if code in _REFUNDS else f"paypal_{code.lower()}"
    plain = kind in ("charge", "refund")
    return ListedMovement(
        balance_ref=id_ if plain else f"{id_}-{code}",
        type=kind,
        source_ref=id_ if plain else None,
        amount_minor=amount,
        fee_minor=-money(info, "fee_amount")[0] if inner(info, "fee_amount") else 0,
        currency=currency,
        created=moment(info, "transaction_initiation_date"),
    )


def events(ask: Ask, created_from: datetime, created_to: datetime) -> Iterator[ListedEvent]:
    """Every event of these seconds that PayPal still lists (30 days), with the body that a delivery has."""
    query = {"start_time": _at(created_from), "end_time": _at(created_to), "page_size": str(PAGE)}
    for _ in range(MAX_PAGES):
        rows, after = ask("/v1/notifications/webhooks-events", query, _event_page)
        yield from rows
        if after is None:
            return
        query = query | {"next_page_token": after}
    raise ProviderUnavailable("paypal: list_without_end")


def _event_page(raw: Raw) -> tuple[list[ListedEvent], str | None]:
    rows = raw.get("events")
    if not isinstance(rows, list):
        raise Unreadable("events")
    page = [ListedEvent(event_facts(row), json.dumps(row, separators=(",", ":")).encode()) for row in rows]
    return page, optional(raw, "next_page_token")


def dispute_refs(ask: Ask, created_from: datetime) -> Iterator[str]:
    """The ids of all disputes opened since then."""
    query = {"start_time": _at(created_from), "page_size": "50"}
    for _ in range(MAX_PAGES):
        refs, after = ask("/v1/customer/disputes", query, _dispute_page)
        yield from refs
        if after is None:
            return
        query = query | {"next_page_token": after}
    raise ProviderUnavailable("paypal: list_without_end")


def _dispute_page(raw: Raw) -> tuple[list[str], str | None]:
    rows = raw.get("items")
    if not isinstance(rows, list):
        raise Unreadable("items")
    return [text(row, "dispute_id") for row in rows], optional(raw, "next_page_token")


def _status(info: Raw) -> str:
    status = _STATUS.get(text(info, "transaction_status"))
    if status is None:
        raise Unreadable("transaction_status")
    return status


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
