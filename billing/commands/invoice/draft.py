"""Drafts: documents without a number. They are in nobody's books; their lines may be edited until they are issued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from billing.commands.invoice.compose import Frame, Wallet, compose
from billing.commands.invoice.issue import DocumentKey, write_lines
from billing.commands.invoice.planned import Held, PlannedInvoice, PlannedLine
from billing.commands.subscription.lines import as_json
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.money import plain
from billing.kernel.status import UNCHARGED, InvoiceStatus, SubscriptionStatus
from billing.models import Invoice, InvoiceLine, Subscription
from billing.privacy.blind_index import content_hash
from billing.privacy.sealed import seal
from billing.queries.standing import Standing
from billing.rules.tax import carried
from billing.rules.walk import Span


def write_drafts(
    session: Session,
    planned: Sequence[PlannedInvoice],
    *,
    keys: Mapping[UUID, DocumentKey],
    review_h: Mapping[UUID, int],
    now: datetime,
) -> None:
    """Write documents that are held. `review_h`: hours until issue, by seller, of those that are reviewed."""
    if not planned:
        return
    write_lines(session, planned)
    session.execute(insert(Invoice), [_row(each, keys[each.seller_id], review_h, now) for each in planned])
    emit_many(
        session,
        topic=Topic.INVOICE_DRAFTED,
        object_type="invoice",
        now=now,
        events=[
            (
                each.seller_id,
                each.id,
                f'{{"invoice_id":"{each.id}","profile_id":"{each.profile_id}","total_minor":{each.totals.total_minor}}}',
            )
            for each in planned
        ],
    )


def _row(document: PlannedInvoice, key: DocumentKey, review_h: Mapping[UUID, int], now: datetime) -> dict[str, Any]:
    pays_first = document.held is Held.FIRST_PAYMENT
    # What a person decides about is looked at with that: the hours are those of the others.
    hours = review_h[document.seller_id] if document.held is Held.REVIEW else 0
    return {
        "id": document.id,
        "seller_id": document.seller_id,
        "profile_id": document.profile_id,
        "subscription_id": document.subscription_id,
        "kind": "invoice",
        "currency": document.currency,
        "period_start": document.period_start,
        "period_end": document.period_end,
        **sums(document),
        "reverse_charge": document.totals.reverse_charge,
        "buyer_country": document.buyer_country,
        "buyer_kind": document.buyer_kind,
        "parties": seal(key.key, document.parties_json, table="invoice", row=document.id, column="parties"),
        "document_key_id": key.id,
        "content_hash": content_hash(key.key, document.id.bytes),
        "status": InvoiceStatus.DRAFT,
        "collection": document.collection,
        "amount_paid_minor": 0,
        "amount_refunded_minor": 0,
        "next_attempt_at": now if pays_first else None,
        "dunning_step": 0,
        "on_schedule": document.charged,
        "waits_for_method": False,
        "hold_id": document.hold_id,
        "review_until": None if pays_first else now + timedelta(hours=hours),
        "version": 1,
    }


def sums(document: PlannedInvoice) -> dict[str, Any]:
    """A draft's columns of amounts, and what they come from."""
    totals = document.totals
    return {
        "subtotal_minor": totals.subtotal_minor,
        "discount_minor": totals.discount_minor,
        "tax_minor": totals.tax_minor,
        "total_minor": totals.total_minor,
        "credit_applied_minor": totals.credit_applied_minor,
        "brought_forward_minor": totals.brought_forward_minor,
        "amount_due_minor": totals.amount_due_minor,
        "amount_remaining_minor": totals.amount_due_minor,
        "legal_notes": list(totals.notes),
        "tax_groups": [
            {
                "percent": str(group.percent),
                "inclusive": group.inclusive,
                "base_minor": group.base_minor,
                "tax_minor": group.tax_minor,
                "code": group.code,
            }
            for group in totals.tax_groups
        ],
    }


def planned_again(
    session: Session,
    drafts: Sequence[Invoice],
    *,
    standing: Standing,
    parties: Mapping[UUID, bytes],
    wallet: Wallet,
    held: Held | None = None,
    statuses: Mapping[UUID, SubscriptionStatus] | None = None,
) -> list[PlannedInvoice]:
    """The documents that drafts become, summed up anew from their lines; credit is used unless they stay `held`.

    A draft that was paid before it is issued takes no credit: what was charged is what it says. `statuses`: of their
    subscriptions, locked; one that has recovered since its draft was made has it charged.
    """
    going_on = {id_ for id_, status in (statuses or {}).items() if status not in UNCHARGED}
    lines: dict[UUID, list[PlannedLine]] = {draft.id: [] for draft in drafts}
    query = select(InvoiceLine).where(InvoiceLine.invoice_id.in_(lines)).order_by(InvoiceLine.position)
    for line in session.scalars(query):
        lines[line.invoice_id].append(line_of(line))
    terms = _terms(session, standing, drafts)
    made = []
    for draft in drafts:
        pays_first = draft.review_until is None
        frame = Frame(
            seller=standing.sellers[draft.seller_id],
            profile=standing.profiles[draft.profile_id],
            parties=parties[draft.profile_id],
            currency=draft.currency,
            subscription_id=draft.subscription_id,
            span=Span(draft.period_start, draft.period_end) if draft.period_start and draft.period_end else None,
            collection=draft.collection,
            days_until_due=terms.get(draft.subscription_id, 30),
            charged=(draft.on_schedule or draft.subscription_id in going_on) and not pays_first,
            held=Held.FIRST_PAYMENT if pays_first else held,
        )
        document = compose(frame, lines[draft.id], wallet=wallet)
        made.append(document._replace(id=draft.id, held=None, drafted=True))
    return made


def _terms(session: Session, standing: Standing, drafts: Sequence[Invoice]) -> dict[UUID | None, int]:
    """Days until due by subscription: also of those on hold, which are not among what is billed."""
    terms: dict[UUID | None, int] = {row.id: row.days_until_due for row in standing.subscriptions}
    if others := {draft.subscription_id for draft in drafts} - terms.keys() - {None}:
        held = select(Subscription.id, Subscription.days_until_due).where(Subscription.id.in_(others))
        terms |= {row.id: row.days_until_due for row in session.execute(held)}
    return terms


def line_of(line: InvoiceLine) -> PlannedLine:
    """The line of a draft, as it was planned."""
    return PlannedLine(
        id=line.id,
        kind=line.kind,
        price_id=line.price_id,
        description=line.description,
        quantity=plain(line.quantity),
        unit_amount=None if line.unit_amount is None else plain(line.unit_amount),
        amount_minor=line.amount_minor,
        discount_minor=line.discount_minor,
        treatment=carried(line.tax_percent, line.tax_inclusive, line.tax_code),
        period_start=line.period_start,
        period_end=line.period_end,
        how_json=as_json(line.how),
        credits_line_id=line.credits_line_id,
        credits_issued=line.credits_issued,
    )
