"""Every list of the console: what it is called, what it reads, which filters it has. Each exports as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from billing.events.topics import Topic
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import (
    DisputeStatus,
    EventStatus,
    InvoiceStatus,
    PaymentStatus,
    PayoutStatus,
    SubscriptionStatus,
)
from billing.queries.acceptances import STATES, list_acceptances
from billing.queries.operations import browsing
from billing.queries.operations.browsing import Browse, profiles_of
from billing.queries.operations.disputes import list_disputes
from billing.queries.operations.endpoints import list_endpoints
from billing.queries.operations.events import EventFilter, list_events
from billing.queries.operations.invoices import list_invoices
from billing.queries.operations.paging import Facts, Page
from billing.queries.operations.payouts import list_payouts
from billing.views.console.rendering import page
from billing.writing.cells import harmless

LIMIT = 50
_EXPORTED = 10_000
"""Rows of one export: more are read by the command line, or by the filters one part after the other."""
_STEP = 1000
_PLACES = ("before", "format")
"""What the address of a list may say beside its filters."""

Given = Mapping[str, str]
Read = Callable[[Session, Given, UUID | None, int], Page]


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: a text, or one of `options`."""

    name: str
    label: str
    options: tuple[str, ...] = ()
    otherwise: str = "all"
    """What the list has where none of the options is chosen."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One list. The first of `columns` leads to the thing itself, where it has a page."""

    place: str
    title: str
    read: Read
    columns: tuple[str, ...]
    filters: tuple[Filter, ...]
    has_pages: bool = True


def _status(kinds: Any) -> Filter:
    return Filter("status", "State", tuple(kinds))


_CUSTOMER = Filter("customer", "Customer (account)")


def _browse(read: Callable[..., Page]) -> Read:
    def reading(session: Session, given: Given, before: UUID | None, limit: int) -> Page:
        found = [None] if not given.get("customer") else profiles_of(session, given["customer"])
        pages = [
            read(session, _wanted(given, profile_id), before=before, limit=limit) for profile_id in found[:5]
        ]  # fmt: skip
        if len(pages) == 1:
            return pages[0]
        rows = sorted((row for each in pages for row in each.rows), key=lambda row: row["id"], reverse=True)
        more = len(rows) > limit or any(each.next_before for each in pages)
        return Page(rows[:limit], rows[:limit][-1]["id"] if more and rows else None)

    return reading


def _wanted(given: Given, profile_id: UUID | None) -> Browse:
    return Browse(
        status=given.get("status") or None,
        profile_id=profile_id,
        actor=given.get("actor") or None,
        action=given.get("action") or None,
        subject_id=_as_id(given.get("subject")),
        topic=given.get("topic") or None,
        given_up=given.get("tries") == "given_up",
    )


def _invoices(session: Session, wanted: Browse, *, before: UUID | None, limit: int) -> Page:
    return list_invoices(session, status=wanted.status, profile=wanted.profile_id, before=before, limit=limit)


def _events(session: Session, given: Given, before: UUID | None, limit: int) -> Page:
    wanted = EventFilter(given.get("status") or None, given.get("type") or None, None, given.get("object") or None)
    return list_events(session, wanted, before=before, limit=limit)


def _disputes(session: Session, given: Given, before: UUID | None, limit: int) -> Page:
    customer = given.get("customer") or None
    return list_disputes(session, status=given.get("status") or None, customer=customer, before=before, limit=limit)


def _payouts(session: Session, given: Given, before: UUID | None, limit: int) -> Page:
    return list_payouts(session, status=given.get("status") or None, before=before, limit=limit)


def _acceptances(session: Session, given: Given, before: UUID | None, limit: int) -> Page:
    state, code = given.get("state") or None, given.get("code") or None
    return list_acceptances(session, state=state, code=code, before=before, limit=limit)


def _endpoints(session: Session, _: Given, before: UUID | None, limit: int) -> Page:
    return list_endpoints(session, before=before, limit=limit)


LISTINGS = (
    Listing(
        "customers", "Customers", _browse(browsing.list_customers),
        ("account_id", "seller", "country", "buyer_kind", "on_hold", "created_at"), (_CUSTOMER,),
    ),
    Listing(
        "subscriptions", "Subscriptions", _browse(browsing.list_subscriptions),
        ("code", "status", "account_id", "currency", "next_due_at", "current_period_end", "cancel_at", "on_hold"),
        (_status(SubscriptionStatus), _CUSTOMER),
    ),
    Listing(
        "invoices", "Invoices", _browse(_invoices),
        ("number", "status", "account_id", "total_minor", "amount_remaining_minor", "issued_at", "next_attempt_at"),
        (_status(InvoiceStatus), _CUSTOMER),
    ),
    Listing(
        "payments", "Payments", _browse(browsing.list_payments),
        ("opened_at", "status", "amount_minor", "invoice", "account_id", "decline_code", "attempt_no", "closed_at"),
        (_status(PaymentStatus), _CUSTOMER),
    ),
    Listing(
        "dunning", "Dunning", _browse(browsing.list_dunning),
        ("number", "account_id", "amount_remaining_minor", "dunning_step", "decline_code", "tried_at",
         "next_attempt_at", "waits_for_method"),
        (Filter("tries", "Tries", ("given_up",), otherwise="go on"), _CUSTOMER),
    ),
    Listing(
        "disputes", "Disputes", _disputes,
        ("dispute_ref", "status", "due_by", "amount_minor", "reason", "invoice", "account_id", "opened_at"),
        (_status(DisputeStatus), _CUSTOMER),
    ),
    Listing(
        "payouts", "Payouts", _payouts,
        ("payout_ref", "status", "amount_minor", "provider", "provider_account", "opened_at", "arrives_at",
         "failed_at"),
        (_status(PayoutStatus),),
    ),
    Listing(
        "events", "Events in", _events,
        ("type", "status", "received_at", "object_ref", "error", "tries", "handled_at"),
        (_status(EventStatus), Filter("type", "Type"), Filter("object", "Provider's object")),
    ),
    Listing(
        "outgoing", "Events out", _browse(browsing.list_outbox),
        ("topic", "object_type", "object_id", "deliveries", "occurred_at", "handed_over_at"),
        (Filter("topic", "Topic", tuple(Topic)),),
    ),
    Listing(
        "endpoints", "Endpoints", _endpoints,
        ("endpoint", "status", "target", "waiting", "dead", "streak", "delivered_at"), (),
    ),
    Listing(
        "acceptances", "Accepted findings", _acceptances,
        ("code", "detail", "subject_id", "reason", "actor", "accepted_at", "state"),
        (Filter("state", "State", STATES), Filter("code", "Invariant")),
    ),
    Listing(
        "trail", "Audit trail", _browse(browsing.list_trail),
        ("happened_at", "actor", "action", "reason", "subject_type", "subject_id"),
        (Filter("actor", "Who"), Filter("action", "What"), Filter("subject", "About (id)")), has_pages=False,
    ),
)  # fmt: skip


def add_lists(door: Blueprint, parts: Parts) -> None:
    """`/console/<list>`, and the same as CSV with `format=csv`."""
    for listing in LISTINGS:
        door.add_url_rule(f"/{listing.place}", f"list_{listing.place}", _view(parts, listing))


def _view(parts: Parts, listing: Listing) -> Callable[[], Response]:
    def view() -> Response:
        given = {each.name: request.args.get(each.name, "").strip()[:200] for each in listing.filters}
        faults = faults_of_query(listing.filters, given)
        if request.args.get("format") == "csv":
            if faults:
                raise Refused(faults)
            found = gathered(parts, lambda session, before, limit: listing.read(session, given, before, limit))
            return exported(listing.place, found)
        found = Page([], None)
        if not faults:
            with parts.begin() as session:
                found = listing.read(session, given, request.args.get("before", type=UUID), LIMIT)
        # As a page like any other: htmx shows no answer of an error's status.
        return page("list.html", title=listing.title, listing=listing, found=found, given=given, faults=faults)

    return view


def faults_of_query(filters: Sequence[Filter], given: Given) -> list[Fault]:
    """What the address asks for that the list doesn't know, and would leave out: a filter, a choice, a place in it."""
    names = [each.name for each in filters]
    mend = f"filters are {', '.join(names)}" if names else "this list has no filters"
    faults = [Fault(name, "unknown_filter", mend) for name in request.args if name not in (*names, *_PLACES)]
    faults += [
        Fault(each.name, "unknown_choice", f"choose one of {', '.join(each.options)}")
        for each in filters
        if each.options and given[each.name] and given[each.name] not in each.options
    ]
    if request.args.get("before") and request.args.get("before", type=UUID) is None:
        faults.append(Fault("before", "not_an_id", "go on by the link below a list"))
    return faults


def gathered(parts: Parts, read: Callable[[Session, UUID | None, int], Page]) -> Page:
    """All rows of a list, a page a transaction, up to what one export may have: then there is a next page."""
    rows: list[Facts] = []
    before: UUID | None = None
    while len(rows) < _EXPORTED:
        with parts.begin() as session:
            found = read(session, before, _STEP)
        rows += found.rows
        before = found.next_before
        if before is None:
            break
    return Page(rows, before)


def exported(name: str, found: Page) -> Response:
    """As CSV: amounts in minor units beside their currency, instants in UTC, and no cell that a program would run.

    A part of the list is called so.
    """
    text, rows = io.StringIO(), found.rows
    writer = csv.writer(text)
    if rows:
        writer.writerow(rows[0])
        writer.writerows([_csv(value) for value in row.values()] for row in rows)
    response = Response(text.getvalue(), mimetype="text/csv")
    called = name if found.next_before is None else f"{name}-newest-{len(rows)}"
    response.headers["Content-Disposition"] = f'attachment; filename="{called}.csv"'
    return response


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, dict):
        return harmless(json.dumps(value, ensure_ascii=False))
    return harmless(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _as_id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        # Nothing has that id: a list of it is empty.
        return UUID(int=0) if text else None
