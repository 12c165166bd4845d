"""`/disputes`: payments that banks take back, and what is made of a loss."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Minor, Paging, Shape, Version, Why, facts
from billing.flows import disputing
from billing.kernel.status import DisputeStatus
from billing.queries.api.disputes import disputes, the_dispute
from billing.validators.api_key import Scope


class Dispute(Shape):
    """As the provider told last. `withdrawn_minor` and `reinstated_minor` are in `moved_currency`; in the invoice's are
    `reopened_minor`, what a loss has put back on it, and what of that was paid another way since, or is written off. A
    loss waits for a decision (`write_off`, `credit_note`), or until it is `paid`."""

    id: Id
    dispute_ref: str
    status: str
    invoice_id: Id
    payment_id: Id | None
    profile_id: Id
    amount_minor: Minor
    currency: str
    reason: str | None
    opened_at: Instant
    due_by: Instant | None
    closed_at: Instant | None
    withdrawn_minor: Minor
    reinstated_minor: Minor
    moved_currency: str | None
    reopened_minor: Minor
    repaid_minor: Minor
    given_up_minor: Minor
    decision: str | None
    decided_at: Instant | None
    version: Version


class DisputeQuery(Paging):
    """In which state; of which invoice."""

    status: DisputeStatus | None = None
    invoice_id: Id | None = None


def _shown(session: Session, call: Call) -> Dispute:
    row = the_dispute(session, call.seller_id, call.id)
    if row is None:
        raise missing("dispute")
    return facts(Dispute, row)


def _show(call: Call) -> Dispute:
    with call.parts.begin() as session:
        return _shown(session, call)


def _list(call: Call) -> Listed[Dispute]:
    wanted: DisputeQuery = call.query
    with call.parts.begin() as session:
        page = disputes(
            session,
            call.seller_id,
            status=wanted.status,
            invoice_id=wanted.invoice_id,
            after=wanted.after,
            limit=wanted.limit,
        )
    return Listed[Dispute](data=[facts(Dispute, row) for row in page.rows], next=page.next)


def _decide(flow: Callable[..., object]) -> Callable[[Call], None]:
    def act(call: Call) -> None:
        _show(call)
        order = call.order(lambda session: _shown(session, call), reason=call.body.reason)
        flow(call.parts, call.id, order=order)

    return act


OPERATIONS = (
    Operation("GET", "/disputes", "list_disputes", "Disputes, newest first.", Scope.READ, _list, Listed[Dispute],
              query=DisputeQuery),
    Operation("GET", "/disputes/{id}", "show_dispute", "One dispute.", Scope.READ, _show, Dispute),
    Operation("POST", "/disputes/{id}/write-off", "write_off_dispute",
              "Give up what a lost dispute has taken: a loss of yours; invoice and tax stand.", Scope.MONEY,
              _decide(disputing.write_off_loss), Dispute, body=Why, versioned=True),
    Operation("POST", "/disputes/{id}/credit", "credit_dispute",
              "Own that a lost dispute was right: a credit note takes revenue and tax back.", Scope.MONEY,
              _decide(disputing.credit_loss), Dispute, body=Why, versioned=True),
)  # fmt: skip
