"""`/acceptances`: what the audit finds about a seller's customers, and somebody has accepted."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Paging, Shape, Version, Why, facts
from billing.flows.accepting import revoke
from billing.queries.api.acceptances import acceptances, the_acceptance
from billing.validators.api_key import Scope


class Acceptance(Shape):
    """A finding of the audit that is true, understood and can't be undone: which invariant, of which thing, in which
    words, and why. It holds for these words; in others, as with another amount, the finding accuses again."""

    id: Id
    state: str
    code: str
    subject_type: str
    subject_id: str
    detail: str
    reason: str
    accepted_at: Instant
    revoked_at: Instant | None
    revoked_because: str | None
    work_item_id: Id
    version: Version


class AcceptanceQuery(Paging):
    """In which state; all unless said."""

    state: Literal["in_force", "revoked"] | None = None


def _shown(session: Session, call: Call) -> Acceptance:
    row = the_acceptance(session, call.seller_id, call.id)
    if row is None:
        raise missing("acceptance")
    return facts(Acceptance, row)


def _show(call: Call) -> Acceptance:
    with call.parts.begin() as session:
        return _shown(session, call)


def _list(call: Call) -> Listed[Acceptance]:
    wanted: AcceptanceQuery = call.query
    with call.parts.begin() as session:
        page = acceptances(session, call.seller_id, state=wanted.state, after=wanted.after, limit=wanted.limit)
    return Listed[Acceptance](data=[facts(Acceptance, row) for row in page.rows], next=page.next)


def _revoke(call: Call) -> None:
    _show(call)
    revoke(call.parts, call.id, order=call.order(lambda session: _shown(session, call), reason=call.body.reason))


OPERATIONS = (
    Operation("GET", "/acceptances", "list_acceptances", "Accepted findings of the audit, newest first.", Scope.READ,
              _list, Listed[Acceptance], query=AcceptanceQuery),
    Operation("GET", "/acceptances/{id}", "show_acceptance", "One accepted finding.", Scope.READ, _show, Acceptance),
    Operation("POST", "/acceptances/{id}/revoke", "revoke_acceptance",
              "Revoke it: the next audit of everything accuses it again.", Scope.OPERATE, _revoke, Acceptance,
              body=Why, versioned=True),
)  # fmt: skip
