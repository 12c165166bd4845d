"""Work items: the list with its filters, one item with what is safe to do, and the same for many, tried first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from billing.db.base import Json
from billing.flows.entering import tell_next
from billing.flows.order import Order
from billing.flows.ordering import Wanted
from billing.flows.parts import Parts
from billing.flows.second_person import ask
from billing.flows.working import Action, act, act_on_all
from billing.kernel.clock import parse_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.findings import findings_digest
from billing.kernel.status import LIVE_WORK, WorkItemStatus
from billing.kernel.work import WorkKind, page_of
from billing.queries.operations.paging import Facts, Page
from billing.queries.operations.searching import search
from billing.queries.operations.trail import trail_of
from billing.queries.operations.work import WorkFilter, digests_of, list_work, show_work
from billing.rules.permission import Permission, needed_for
from billing.views.console.lists import Filter, exported, faults_of_query, gathered
from billing.views.console.orders import order_id, person, said
from billing.views.console.rendering import page
from billing.views.console.visiting import visit

_LIMIT = 50
_MOST_AT_ONCE = 500
"""Items of one bulk order of the console: more is the command line's work, which nobody waits for."""
_FILTERS = (
    Filter("kind", "Kind", tuple(WorkKind)),
    Filter("status", "State", tuple(WorkItemStatus), otherwise="open and parked"),
    Filter("customer", "Customer"),
    Filter("error", "Error has"),
    Filter("since", "Seen since"),
)

_DECIDED = {
    WorkKind.DISPUTE_NEEDS_RESPONSE: "It is answered at the provider. What becomes of it stands on the page of",
    WorkKind.DISPUTE_LOST: "To write the loss off, or to credit the customer, is offered on the page of",
    WorkKind.EARLY_FRAUD_WARNING: "A refund, which spares the dispute, is offered on the page of",
}
_ELSEWHERE = "What else can be done about it is offered on the page of"
"""Where what an item is about is decided, beside its safe actions: what is said before the link to its page."""

_BANK = "The bank's reason"
_ERROR_IS = {
    WorkKind.DISPUTE_NEEDS_RESPONSE: _BANK,
    WorkKind.DISPUTE_LOST: _BANK,
    WorkKind.DISPUTE_WON_LATE: _BANK,
    WorkKind.EARLY_FRAUD_WARNING: _BANK,
    WorkKind.DAY_GUARDED: "Why it is held",
    WorkKind.INVOICE_GUARDED: "Why it is held",
}
"""What the error of an item is where it is no technical one."""


def add_work(door: Blueprint, parts: Parts) -> None:
    """`/console/items`."""

    @door.get("/items")
    def work() -> Response:
        if request.args.get("format") == "csv":
            wanted = _filter()
            read = lambda session, before, limit: list_work(session, wanted, before=before, limit=limit)  # noqa: E731
            return exported("items", gathered(parts, read))
        before = request.args.get("before", type=UUID)
        try:
            wanted = _filter()
        except Refused as refused:
            # As a page like any other: htmx shows no answer of an error's status.
            return _list(Page([], None), tried=None, faults=refused.faults)
        with parts.begin() as session:
            found = list_work(session, wanted, before=before, limit=_LIMIT)
        return _list(found, tried=None)

    @door.get("/items/<uuid:item_id>")
    def item(item_id: UUID) -> Response:
        return _item(parts, item_id)

    @door.post("/items/<uuid:item_id>")
    def do(item_id: UUID) -> AnyResponse:
        dry_run, action = "try" in request.form, _action()
        needed = needed_for("work", action)
        order = visit().order(needed, dry_run=dry_run)
        if needed is Permission.MONEY and not dry_run:
            told = ask(parts, _single(parts, item_id, action), by=person(), reason=order.reason)
            tell_next(parts, visit().who.session_id, told)
            return redirect(f"/console/items/{item_id}", 303)
        done = act(parts, item_id, action=action, order=_as_shown(order) if action is Action.ACCEPT else order)
        if dry_run:
            return _item(parts, item_id, tried=f"Tried, nothing was changed: {done.told}.")
        tell_next(parts, visit().who.session_id, f"{done.told[:1].upper()}{done.told[1:]}.")
        return redirect(f"/console/items/{item_id}", 303)

    @door.post("/items")
    def do_many() -> AnyResponse:
        dry_run, action = "try" in request.form, _action()
        order, wanted = visit().order(needed_for("work", action), dry_run=dry_run), _filter()
        if not dry_run:
            told = ask(parts, _bulk(parts, wanted, action), by=person(), reason=order.reason)
            tell_next(parts, visit().who.session_id, told)
            return redirect("/console/items", 303)
        done = list(islice(act_on_all(parts, wanted, action=action, order=order), _MOST_AT_ONCE))
        with parts.begin() as session:
            found = list_work(session, wanted, limit=_LIMIT)
        return _list(found, tried=done, action=action, reason=request.form.get("reason", ""))


def _item(parts: Parts, item_id: UUID, *, tried: str | None = None) -> Response:
    """One item, with what the visitor may do about it."""
    with parts.begin() as session:
        facts = show_work(session, item_id)
        trail = trail_of(session, [item_id, facts["subject_id"]])
        subject = next(iter(search(session, str(facts["subject_id"]))), None)
    live = facts["status"] in LIVE_WORK
    safe = [each for each in facts["safe_actions"] if each in set(Action)] if live else []
    actions = [each for each in safe if visit().may(needed_for("work", each))]
    return page(
        "item.html", title=facts["kind"].replace("_", " ").capitalize(), item=facts, trail=trail, actions=actions,
        words=findings_digest(facts["findings"] or []), manual=page_of(facts["kind"]),
        subject=subject, decided=_DECIDED.get(facts["kind"], _ELSEWHERE),
        error_is=_ERROR_IS.get(facts["kind"]), tried=tried, reason=request.form.get("reason", ""),
    )  # fmt: skip


def _list(found: Page, **more: object) -> Response:
    """The list with its filters as they were given."""
    return page(
        "work.html", title="Work items", found=found, kinds=list(WorkKind), statuses=list(WorkItemStatus),
        actions=list(Action), filters={each.name: request.values.get(each.name, "") for each in _FILTERS}, **more,
    )  # fmt: skip


def _bulk(parts: Parts, wanted: WorkFilter, action: Action) -> Wanted:
    """The order for all that the filter lets through now, with what is at stake: it is those that are approved."""
    with parts.begin() as session:
        return _wanted(session, list_work(session, wanted, limit=_MOST_AT_ONCE).rows, action)


def _single(parts: Parts, item_id: UUID, action: Action) -> Wanted:
    """The order for one item."""
    with parts.begin() as session:
        return _wanted(session, [show_work(session, item_id)], action)


def _wanted(session: Session, rows: Sequence[Facts], action: Action) -> Wanted:
    amounts = Counter[str]()
    for row in rows:
        amounts[row["currency"]] += row["amount_minor"] or 0
    id_ = order_id()
    facts: Json = {"do": action.value, "items": [str(row["id"]) for row in rows]}
    if action is Action.ACCEPT:
        facts["findings"] = {str(id_): seen for id_, seen in digests_of(session, [row["id"] for row in rows]).items()}
    ordered = "refund_kept_apart" if action is Action.REFUND else "work"
    return Wanted(id_, ordered, "items", id_, {name: sum_ for name, sum_ in amounts.items() if name}, facts, said())


def _as_shown(order: Order) -> Order:
    """What is accepted are the words that were on the page: an audit may have said others meanwhile."""
    seen = request.form.get("words", "")
    if not seen:
        raise Refused(Fault("words", "words_missing", "accept it on its page, which shows what the audit says"))
    return replace(order, expected_findings=seen)


def _action() -> Action:
    try:
        return Action(request.form.get("action", ""))
    except ValueError:
        raise Refused(Fault("action", "action_unknown", "choose one of the buttons")) from None


def _filter() -> WorkFilter:
    """Raises `Refused` for what is no filter."""
    given = {each.name: request.values.get(each.name, "").strip()[:200] for each in _FILTERS}
    if faults := faults_of_query(_FILTERS, given):
        raise Refused(faults)
    since = parse_instant(given["since"], field="since") if given["since"] else None
    return WorkFilter(
        statuses=(given["status"],) if given["status"] else (),
        kind=given["kind"] or None,
        since=since,
        error=given["error"] or None,
        customer=given["customer"] or None,
    )
