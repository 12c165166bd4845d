"""Previews: exactly what a change would come to, and a token that applies it to the cent for 15 minutes."""

from __future__ import annotations

from pydantic import Field

from billing.api.operation import Call, Operation
from billing.api.shapes import Exact, Instant, Minor, Shape
from billing.api.subscriptions import Items, Reasoned, Subscription, items_of
from billing.api.subscriptions import shown as shown_subscription
from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import operating_subscriptions as operating
from billing.flows import previewing
from billing.kernel.errors import Fault, Refused
from billing.queries.api.subscriptions import the_subscription
from billing.validators.api_key import Scope


class PreviewChange(Shape):
    """The change that is looked at."""

    items: Items
    when: ChangeWhen = Field(default=ChangeWhen.NOW, strict=False)
    proration: Proration = Field(default=Proration.PRORATE, strict=False)


class PreviewCancel(Shape):
    """The cancel that is looked at."""

    when: CancelWhen = Field(default=CancelWhen.PERIOD_END, strict=False)
    prorate: bool = False


class PreviewedLine(Shape):
    """A line that would be written."""

    kind: str
    description: str
    quantity: Exact
    amount_minor: Minor
    discount_minor: Minor
    period_start: Instant | None
    period_end: Instant | None


class PreviewedDocument(Shape):
    """A document that would be issued; it has no number yet."""

    kind: str
    currency: str
    period_start: Instant | None
    period_end: Instant | None
    lines: list[PreviewedLine]
    subtotal_minor: Minor
    discount_minor: Minor
    tax_minor: Minor
    total_minor: Minor
    credit_applied_minor: Minor
    brought_forward_minor: Minor
    amount_due_minor: Minor


class Preview(Shape):
    """What it would come to as of `at`. `waiting` are lines for the next invoice, `on_drafts` take something off
    invoices in review, `upcoming` is the next invoice as far as it is known: without usage. `token` applies it."""

    at: Instant
    documents: list[PreviewedDocument]
    waiting: list[PreviewedLine]
    on_drafts: list[PreviewedLine]
    upcoming: PreviewedDocument | None
    token: str


class ApplyGiven(Reasoned):
    """The token of a preview."""

    token: str = Field(min_length=1, max_length=10_000)


def _change(call: Call) -> None:
    given: PreviewChange = call.body
    call.do(
        lambda session: _told(
            previewing.preview_change(
                call.parts,
                session,
                shown_subscription(session, call.seller_id, call.id).id,
                items=items_of(given.items),
                when=given.when,
                proration=given.proration,
            )
        )
    )


def _cancel(call: Call) -> None:
    given: PreviewCancel = call.body
    call.do(
        lambda session: _told(
            previewing.preview_cancel(
                call.parts,
                session,
                shown_subscription(session, call.seller_id, call.id).id,
                when=given.when,
                prorate=given.prorate,
            )
        )
    )


def _apply(call: Call) -> None:
    id_ = previewing.subscription_of(call.parts, call.body.token)
    with call.parts.begin() as session:
        if the_subscription(session, call.seller_id, id_) is None:
            raise Refused(Fault("token", "token_invalid", "give the token of a preview of yours, as it was given"))
    order = call.order(lambda session: shown_subscription(session, call.seller_id, id_), reason=call.body.reason)
    operating.apply_preview(call.parts, call.body.token, order=order)


def _told(seen: previewing.Preview) -> Preview:
    return Preview(
        at=seen.at,
        documents=[_document(each) for each in seen.documents],
        waiting=[_line(each) for each in seen.waiting],
        on_drafts=[_line(each) for each in seen.on_drafts],
        upcoming=_document(seen.upcoming) if seen.upcoming else None,
        token=seen.token,
    )


def _document(planned: PlannedInvoice) -> PreviewedDocument:
    totals = planned.totals
    return PreviewedDocument(
        kind=planned.kind,
        currency=planned.currency,
        period_start=planned.period_start,
        period_end=planned.period_end,
        lines=[_line(each) for each in planned.lines],
        subtotal_minor=totals.subtotal_minor,
        discount_minor=totals.discount_minor,
        tax_minor=totals.tax_minor,
        total_minor=totals.total_minor,
        credit_applied_minor=totals.credit_applied_minor,
        brought_forward_minor=totals.brought_forward_minor,
        amount_due_minor=totals.amount_due_minor,
    )


def _line(planned: PlannedLine) -> PreviewedLine:
    said = {name: getattr(planned, name) for name in PreviewedLine.model_fields}
    return PreviewedLine.model_validate(said, strict=False)


OPERATIONS = (
    Operation(
        "POST", "/subscriptions/{id}/preview-change", "preview_change", "What a change of items would come to now.",
        Scope.READ, _change, Preview, body=PreviewChange,
    ),
    Operation(
        "POST", "/subscriptions/{id}/preview-cancel", "preview_cancel", "What a cancel would come to now.",
        Scope.READ, _cancel, Preview, body=PreviewCancel,
    ),
    Operation(
        "POST", "/previews/apply", "apply_preview", "Do what a preview showed; refused once anything has changed.",
        Scope.WRITE, _apply, Subscription, body=ApplyGiven,
    ),
)  # fmt: skip
