"""One thing with its whole story: an invoice, an attempt, a subscription, a customer, an event, a dispute, a payout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from billing.flows import previewing
from billing.flows.parts import Parts
from billing.kernel.errors import BillingError
from billing.kernel.status import LIVE_WORK
from billing.models import Dispute, Invoice, Profile, Subscription
from billing.queries.acceptances import show_acceptance
from billing.queries.brakes import brakes_holding
from billing.queries.correction import creditable, still_refundable
from billing.queries.dispute import disputed
from billing.queries.operations.customers import is_paid_ahead, show_profile, show_subscription
from billing.queries.operations.disputes import show_dispute
from billing.queries.operations.endpoints import show_endpoint
from billing.queries.operations.events import show_event
from billing.queries.operations.explaining import document_account
from billing.queries.operations.invoices import show_invoice
from billing.queries.operations.outgoing import show_outgoing
from billing.queries.operations.paging import Facts
from billing.queries.operations.payments import show_payment
from billing.queries.operations.payouts import show_payout
from billing.queries.operations.timeline import timeline
from billing.queries.operations.trail import trail_of, work_about
from billing.queries.replacing import has_credits
from billing.rules.explain import explain_line
from billing.views.console.acting.subscriptions import ENDED
from billing.views.console.acting.table import offered
from billing.views.console.rendering import page


@dataclass(frozen=True, slots=True)
class Thing:
    """How one is read, which of its facts is its name, and the template of its page."""

    place: str
    many: str
    read: Callable[[Parts, Session, UUID], Facts]
    name: str
    template: str = "thing.html"


def _invoice(_: Parts, session: Session, invoice_id: UUID) -> Facts:
    facts = show_invoice(session, invoice_id)
    account = document_account(session, invoice_id)
    turned = facts["kind"] != "invoice"
    for row, line in zip(facts["lines"], account.lines, strict=True):
        # The first sentence says what the columns say.
        row["explained"] = explain_line(line, currency=facts["currency"], turned=turned)[1:]
    facts |= _what_is_left(session, invoice_id)
    parts_of_it = (*facts["payments"], *facts["disputes"])
    return facts | _about(session, [invoice_id, *(row["id"] for row in parts_of_it)])


def _what_is_left(session: Session, invoice_id: UUID) -> Facts:
    """What can still go back of it or be credited, minor units, and whether it can be issued anew."""
    if disputed(session, invoice_id).forbidden:
        return {"dispute_bars": True}
    invoice = session.get_one(Invoice, invoice_id)
    credited, erased = creditable(session, invoice), session.get_one(Profile, invoice.profile_id).erased_at
    return {
        "dispute_bars": False,
        "refundable_minor": still_refundable(session, invoice),
        "creditable_minor": max(credited, 0),
        # Who was forgotten is nobody to issue anything to.
        "replaceable": credited == invoice.total_minor and erased is None and not has_credits(session, invoice_id),
    }


def _payment(_: Parts, session: Session, payment_id: UUID) -> Facts:
    facts = show_payment(session, payment_id)
    others = show_invoice(session, facts["invoice_id"])["payments"]
    return facts | {"attempts": others} | _about(session, [payment_id])


def _subscription(parts: Parts, session: Session, subscription_id: UUID) -> Facts:
    facts = show_subscription(session, subscription_id) | _about(session, [subscription_id])
    facts["next"], facts["next_unknown"], facts["paid_ahead"] = None, None, False
    if facts["status"] not in ENDED:
        facts["paid_ahead"] = is_paid_ahead(session, subscription_id, now=parts.clock.now(session))
        row = session.get_one(Subscription, subscription_id)
        try:
            facts["next"] = previewing.preview_renewal(parts, session, row, now=parts.clock.now(session))
        except BillingError as error:
            facts["next_unknown"] = str(error)
    return facts


def _customer(_: Parts, session: Session, profile_id: UUID) -> Facts:
    facts = show_profile(session, profile_id)
    about = [profile_id, *(row["id"] for row in facts["subscriptions"]), *(row["id"] for row in facts["invoices"])]
    # By way of the invoices, which have an index of it.
    disputes = (
        select(Dispute.id).join(Invoice, Dispute.invoice_id == Invoice.id).where(Invoice.profile_id == profile_id)
    )
    about += session.scalars(disputes)
    return facts | {
        "stopped": brakes_holding(session, profile_id),
        "work_items": work_about(session, about),
        "timeline": timeline(session, profile_id),
    }


def _event(_: Parts, session: Session, event_id: UUID) -> Facts:
    return show_event(session, event_id) | _about(session, [event_id])


def _outgoing(_: Parts, session: Session, event_id: UUID) -> Facts:
    return show_outgoing(session, event_id)


def _dispute(_: Parts, session: Session, dispute_id: UUID) -> Facts:
    return show_dispute(session, dispute_id) | _about(session, [dispute_id])


def _payout(_: Parts, session: Session, payout_id: UUID) -> Facts:
    return show_payout(session, payout_id)


def _endpoint(_: Parts, session: Session, endpoint_id: UUID) -> Facts:
    return show_endpoint(session, endpoint_id) | _about(session, [endpoint_id])


def _acceptance(_: Parts, session: Session, acceptance_id: UUID) -> Facts:
    facts = show_acceptance(session, acceptance_id)
    return facts | {"audit_trail": trail_of(session, [acceptance_id, facts["work_item_id"]])}


def _about(session: Session, ids: list[UUID]) -> Facts:
    return {"work_items": work_about(session, ids), "audit_trail": trail_of(session, ids)}


THINGS = {
    each.place: each
    for each in (
        Thing("invoices", "Invoices", _invoice, "number", "invoice.html"),
        Thing("payments", "Payments", _payment, "id", "payment.html"),
        Thing("subscriptions", "Subscriptions", _subscription, "code", "subscription.html"),
        Thing("customers", "Customers", _customer, "account_id", "customer.html"),
        Thing("events", "Events in", _event, "type"),
        Thing("outgoing", "Events out", _outgoing, "topic"),
        Thing("disputes", "Disputes", _dispute, "dispute_ref"),
        Thing("payouts", "Payouts", _payout, "payout_ref"),
        Thing("endpoints", "Endpoints", _endpoint, "endpoint"),
        Thing("acceptances", "Accepted findings", _acceptance, "code"),
    )
}


def add_things(door: Blueprint, parts: Parts) -> None:
    """`/console/<list>/<id>`."""
    for thing in THINGS.values():
        door.add_url_rule(f"/{thing.place}/<uuid:id_>", f"show_{thing.place}", _view(parts, thing))


def facts_of(parts: Parts, place: str, id_: UUID) -> Facts:
    """All that is told of one thing. 404 where there is none."""
    try:
        with parts.begin() as session:
            return THINGS[place].read(parts, session, id_)
    except (ValueError, NoResultFound):
        # No row to unpack.
        abort(404)


def shown(parts: Parts, place: str, id_: UUID, status: int = 200, **more: Any) -> Response:
    """The page of one thing; `more` goes to the template. 404 where there is none."""
    thing, facts = THINGS[place], facts_of(parts, place, id_)
    name = facts.get(thing.name) or "Draft"
    trouble = [row for row in facts.get("work_items", ()) if row["status"] in LIVE_WORK]
    return page(
        thing.template, status, title=str(name), thing=thing, facts=facts, id_=id_, trouble=trouble,
        acts=offered(place, facts), **more,
    )  # fmt: skip


def _view(parts: Parts, thing: Thing) -> Callable[[UUID], Response]:
    def view(id_: UUID) -> Response:
        return shown(parts, thing.place, id_)

    return view
