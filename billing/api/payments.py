"""`/payments`: one attempt to move money, and what the provider says of it now."""

from __future__ import annotations

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Minor, Paging, Shape, Version, Why, facts
from billing.flows import operating
from billing.kernel.status import PaymentStatus
from billing.queries.api.disputes import payments, the_payment
from billing.validators.api_key import Scope


class Payment(Shape):
    """One try to collect an invoice. `reason` says why it ended as it did, in words of ours.

    `waits_for`: why the provider keeps a pending one, and what to do, in a sentence; null where it doesn't say.
    """

    id: Id
    invoice_id: Id
    profile_id: Id
    attempt_no: int
    kind: str
    status: str
    amount_minor: Minor
    currency: str
    provider: str
    provider_account: str
    brand: str | None
    last4: str | None
    wallet: str | None
    decline_code: str | None
    reason: str | None
    waits_for: str | None
    opened_at: Instant
    first_sent_at: Instant | None
    closed_at: Instant | None
    next_check_at: Instant | None
    checks: int
    version: Version


class PaymentQuery(Paging):
    """In which state; of which invoice, of which customer."""

    status: PaymentStatus | None = None
    invoice_id: Id | None = None
    profile_id: Id | None = None
    account_id: str | None = Field(default=None, max_length=200)


def _list(call: Call) -> Listed[Payment]:
    wanted: PaymentQuery = call.query
    with call.parts.begin() as session:
        page = payments(
            session,
            call.seller_id,
            status=wanted.status,
            invoice_id=wanted.invoice_id,
            profile_id=wanted.profile_id,
            account_id=wanted.account_id,
            after=wanted.after,
            limit=wanted.limit,
        )
    return Listed[Payment](data=[facts(Payment, row) for row in page.rows], next=page.next)


def _shown(session: Session, call: Call) -> Payment:
    row = the_payment(session, call.seller_id, call.id)
    if row is None:
        raise missing("payment")
    return facts(Payment, row)


def _show(call: Call) -> Payment:
    with call.parts.begin() as session:
        return _shown(session, call)


def _resolve(call: Call) -> None:
    _show(call)
    # What the provider says is settled as the sweep settles it, which acts for all sellers; asked twice, it is no less
    # true, so the answer is kept when all is done.
    operating.resolve_payment(call.parts.for_all, call.id, order=call.bare_order(call.body.reason))
    call.do(lambda session: _shown(session, call))


OPERATIONS = (
    Operation("GET", "/payments", "list_payments", "Attempts, newest first; those that nobody can tell: `unknown`.",
              Scope.READ, _list, Listed[Payment], query=PaymentQuery),
    Operation("GET", "/payments/{id}", "show_payment", "One attempt.", Scope.READ, _show, Payment),
    Operation("POST", "/payments/{id}/resolve", "resolve_payment",
              "Ask the provider what became of an open attempt; nothing is guessed.", Scope.OPERATE, _resolve, Payment,
              body=Why),
)  # fmt: skip
