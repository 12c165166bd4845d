"""`/prices/{id}/move`: the subscriptions of one price go to another at their next period, a page a request."""

from __future__ import annotations

from sqlalchemy.orm import Session

from billing.api.catalog import shown_price
from billing.api.operation import Call, Operation
from billing.api.shapes import Code, Instant, Minor, Shape
from billing.flows.moving import Moved as Effect
from billing.flows.moving import check_pair, move_page
from billing.queries.api.reading import cursor, id_after
from billing.validators.api_key import Scope

_PAGE = 200


class MoveGiven(Shape):
    """To which price. A dry run shows the effect on each, and changes nothing. `after`: `next` of the page before."""

    to: Code
    dry_run: bool = False
    after: str | None = None


class Effected(Shape):
    """What one subscription costs a period before and after, null where usage decides. `skipped`: why it is left.
    `dropped_at`: when a change of its items took an earlier move to that price back."""

    subscription: str
    account_id: str
    at: Instant | None
    quantity: int | None
    before_minor: Minor | None
    after_minor: Minor | None
    currency: str
    skipped: str | None
    dropped_at: Instant | None


class Moved(Shape):
    """A page of them. Go on with `next` until it is null: then none is left. Done again, it finds nothing to move."""

    dry_run: bool
    data: list[Effected]
    next: str | None


def _move(call: Call) -> None:
    given: MoveGiven = call.body

    def act(session: Session) -> Moved:
        old = shown_price(session, call.seller_id, call.id)
        pair = check_pair(session, seller_id=call.seller_id, old_code=old.code, new_code=given.to)
        page = move_page(
            call.parts,
            session,
            pair,
            seller_id=call.seller_id,
            after=id_after(given.after),
            most=_PAGE,
            dry_run=given.dry_run,
        )
        return Moved(
            dry_run=given.dry_run,
            data=[_said(each) for each in page.effects],
            next=None if page.last is None else cursor(str(page.last)),
        )

    call.do(act)


def _said(effect: Effect) -> Effected:
    return Effected.model_validate({name: getattr(effect, name) for name in Effected.model_fields}, strict=False)


OPERATIONS = (
    Operation("POST", "/prices/{id}/move", "move_price",
              "Move up to 200 subscriptions that have it to another price, at their next period.", Scope.CATALOG,
              _move, Moved, body=MoveGiven),
)  # fmt: skip
