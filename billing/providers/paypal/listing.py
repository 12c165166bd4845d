"""Lists of a whole PayPal account between two moments: its report of transactions, its disputes, its events.

The report shows a transaction up to three hours late, and says how far it goes (`last_refreshed_datetime`); a window
that begins later is refused, and one that begins more than three years ago, in other words. It leaves out what does not
move the balance, such as a charge that is pending, unless it is asked for. It knows no customers; `custom_field` is the
name that we gave (`naming`). Windows are at most 31 days; one with more than 10,000 transactions is refused. The other
lists are gone through by the `next` link of each page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUnreadable
from billing.kernel.money import EXPONENTS
from billing.providers.events import ListedEvent
from billing.providers.listed import ListedCharge, ListedMovement, ListedRefund
from billing.providers.paypal.events import event_facts
from billing.providers.paypal.facts import listed_charge, moment, money, objects, refund_facts
from billing.providers.paypal.naming import attempt_of, customer_of, invoice_of
from billing.providers.port import PAGE
from billing.providers.reading import Raw, Unreadable, inner, optional, text, whole

T = TypeVar("T")
Ask = Callable[[str, dict[str, str], Callable[[Raw], Any]], Any]
"""(path, query, parse) → what one request was read as; a failure is a kernel error."""

_REPORT = "/v1/reporting/transactions"
WIDEST = timedelta(days=31)
LATE_S = 3 * 3600.0
BACK_S = (3 * 365 - 1) * 86_400.0
"""The report keeps three years."""
DISPUTES_BACK_S = 179 * 86_400.0
"""PayPal takes a `start_time` of the last 180 days."""
_SLACK_S = 3600.0
FEE = "paypal_fee"
"""The type of a movement that is a fee as a whole."""
MAX_PAGES = 1000
TOO_MANY = "resultset_too_large"
"""PayPal's code where a window of the report holds more than it lists."""
_NOT_THERE_YET = "invalid_request"
"""PayPal's code, without details, where a window begins after what the report shows."""
_PAYMENTS, _REFUND, _REVERSAL, _FEES = "T00", "T1107", "T1106", ("T01", "T1108", "T1109")
"""How the codes begin of payments, of refunds by the seller, of what PayPal takes back, of fees and what is given back.

Source: developer.paypal.com/reports/reference/t-codes.
"""
_EXCHANGES = "T02"
EXCHANGE = "paypal_exchange"
"""The type of a movement that is one leg of an exchange, by PayPal itself, of the transaction that it names."""
DISPUTED = ("paypal_t1201", "paypal_t1202")
"""What a chargeback took, and its end gave back, of the payment that it names."""
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
        yield from _parsed(parse, rows)
        start = end


def _parsed(parse: Callable[[Raw], T | None], rows: list[Raw]) -> list[T]:
    """Those that `parse` takes. A row that can't be read is never left out: it may be our money."""
    try:
        return [found for found in map(parse, filter(_in_money, rows)) if found is not None]
    except Unreadable as odd:
        raise ProviderUnreadable(f"paypal: report_unreadable_{odd}") from None


def _in_money(info: Raw) -> bool:
    """False for a cryptocurrency, in which no price of ours is. What names no currency is for `parse` to judge."""
    code = optional(inner(info, "transaction_amount"), "currency_code")
    return code is None or code.lower() in EXPONENTS


def _whole(ask: Ask, start: datetime, end: datetime, *, fresh: bool) -> list[Raw]:
    """All that the report shows of a window: nothing is handed on before it is there whole, as it may be cut anew."""
    query, read = _window(start, end), list[Raw]()
    for page in range(1, MAX_PAGES + 1):
        rows, pages, reached = _page(ask, query | {"page": str(page)})
        if (page > 1 and reached is None) or (fresh and (reached is None or reached < end)):
            raise ProviderUnavailable("paypal: report_not_complete_yet")
        read += rows
        if page >= pages:
            return read
    raise ProviderUnavailable("paypal: list_without_end")


def _page(ask: Ask, query: dict[str, str]) -> tuple[list[Raw], int, datetime | None]:
    """Rows, number of pages, and how far the report goes; None: not even to where this window begins."""
    try:
        found: tuple[list[Raw], int, datetime] = ask(_REPORT, query, _report)
    except ProviderRefused as refused:
        if refused.code != _NOT_THERE_YET:
            raise
        return [], 0, None
    return found


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
    return _parsed(parse, _last_page(ask, now)) + [found for found in map(told, recent) if found is not None]


def _last_page(ask: Ask, now: datetime) -> list[Raw]:
    width = WIDEST
    while True:
        query = _window(now - width, now)
        try:
            rows, pages, _ = _page(ask, query | {"page": "1"})
            if pages > 1:
                rows, _, _ = _page(ask, query | {"page": str(pages)})
        except ProviderRefused as refused:
            width = _narrower(width, refused)
        else:
            return list[Raw](rows)


def _window(start: datetime, end: datetime) -> dict[str, str]:
    return {
        "start_date": _at(start),
        "end_date": _at(end),
        "fields": "transaction_info",
        "balance_affecting_records_only": "N",
        "page_size": str(PAGE),
    }


def reaches(ask: Ask, until: datetime) -> bool:
    """Whether the report goes as far as that."""
    query = _window(until - timedelta(minutes=1), until) | {"page_size": "1", "page": "1"}
    _, _, reached = _page(ask, query)
    return reached is not None and reached >= until


def charge_told(event: ListedEvent) -> ListedCharge | None:
    """The capture that an event tells of, as it was then; None for any other event, also of another API's captures."""
    if event.facts.object_type != "capture":
        return None
    with suppress(Unreadable):
        return listed_charge(_resource(event))
    return None


def refund_told(event: ListedEvent) -> ListedRefund | None:
    """The refund that an event tells of, as it was then; None for any other event, also of another API's refunds."""
    if event.facts.object_type != "refund":
        return None
    with suppress(Unreadable):
        facts = refund_facts(_resource(event))
        return ListedRefund(
            refund_ref=facts.refund_ref,
            status=facts.status,
            amount_minor=facts.amount_minor,
            currency=facts.currency,
            created=event.facts.created,
            charge_ref=facts.charge_ref,
            metadata_refund=facts.metadata_refund,
        )
    return None


def _resource(event: ListedEvent) -> Raw:
    return inner(json.loads(event.raw), "resource")


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
    if not isinstance(raw.get("transaction_details"), list):
        raise Unreadable("transaction_details")
    return (
        [inner(row, "transaction_info") for row in objects(raw, "transaction_details")],
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
        metadata_invoice=invoice_of(optional(info, "invoice_id")),
        metadata_payment=attempt_of(optional(info, "custom_field")),
        balance_ref=text(info, "transaction_id"),
    )


def refund(info: Raw) -> ListedRefund | None:
    """A refund by the seller, or what PayPal took back; None for any other transaction. Raises `Unreadable`."""
    code = text(info, "transaction_event_code")
    amount, currency = money(info, "transaction_amount")
    if code not in (_REFUND, _REVERSAL) or amount >= 0:
        return None
    return ListedRefund(
        refund_ref=text(info, "transaction_id"),
        status=_status(info),
        amount_minor=-amount,
        currency=currency,
        created=moment(info, "transaction_initiation_date"),
        charge_ref=optional(info, "paypal_reference_id"),
        metadata_refund=optional(info, "custom_field"),
        by_provider=code == _REVERSAL,
    )


def movement(info: Raw) -> ListedMovement | None:
    """What moved the balance; None for what is not settled. An id may stand for two transactions of other kinds."""
    if _status(info) != "succeeded":
        return None
    code, id_ = text(info, "transaction_event_code"), text(info, "transaction_id")
    amount, currency = money(info, "transaction_amount")
    above = optional(info, "paypal_reference_id") if code.startswith(_EXCHANGES) else None
    if above is not None:
        # Of each currency one: nothing says that the two have two ids.
        return ListedMovement(
            balance_ref=f"{id_}-{code}-{currency}",
            type=EXCHANGE,
            source_ref=above,
            amount_minor=amount,
            fee_minor=0,
            currency=currency,
            created=moment(info, "transaction_initiation_date"),
        )
    kind = _kind(code)
    plain = kind in ("charge", "refund")
    return ListedMovement(
        balance_ref=id_ if plain else f"{id_}-{code}",
        type=kind,
        source_ref=id_ if plain else optional(info, "paypal_reference_id") if kind in DISPUTED else None,
        amount_minor=amount,
        fee_minor=-money(info, "fee_amount")[0] if inner(info, "fee_amount") else 0,
        currency=currency,
        created=moment(info, "transaction_initiation_date"),
    )


def _kind(code: str) -> str:
    if code.startswith(_PAYMENTS):
        return "charge"
    if code.startswith(_FEES):
        return FEE
    return "refund" if code == _REFUND else f"paypal_{code.lower()}"


def events(ask: Ask, created_from: datetime, created_to: datetime) -> Iterator[ListedEvent]:
    """Every event of these seconds that PayPal still lists (30 days), with the body that a delivery has."""
    query = {"start_time": _at(created_from), "end_time": _at(created_to), "page_size": str(PAGE)}
    return _linked(ask, "/v1/notifications/webhooks-events", query, _event_page)


def _event_page(raw: Raw) -> list[ListedEvent]:
    rows = _rows(raw, "events")
    return [ListedEvent(event_facts(row), json.dumps(row, separators=(",", ":")).encode()) for row in rows]


def dispute_refs(ask: Ask, created_from: datetime) -> Iterator[str]:
    """The ids of all disputes opened since then."""
    query = {"start_time": _at(created_from), "page_size": "50"}
    return _linked(
        ask, "/v1/customer/disputes", query, lambda raw: [text(row, "dispute_id") for row in _rows(raw, "items")]
    )


def _linked(ask: Ask, path: str, query: dict[str, str], parse: Callable[[Raw], list[T]]) -> Iterator[T]:
    """All pages of a list, each of which links to the next: what its link asks for is asked for, of this account."""
    for _ in range(MAX_PAGES):
        rows, after = ask(path, query, lambda raw: (parse(raw), _next(raw)))
        yield from rows
        if after is None:
            return
        if after == query:
            break
        query = after
    raise ProviderUnavailable("paypal: list_without_end")


def _next(raw: Raw) -> dict[str, str] | None:
    links = raw.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, Mapping) and link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(text(link, "href")).query))
    return None


def _rows(raw: Raw, name: str) -> list[Raw]:
    """The rows of a page. An empty page of disputes or events may be told without them."""
    if not isinstance(raw.get(name, []), list):
        raise Unreadable(name)
    return objects(raw, name)


def _status(info: Raw) -> str:
    status = _STATUS.get(text(info, "transaction_status"))
    if status is None:
        raise Unreadable("transaction_status")
    return status


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
