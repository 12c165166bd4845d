"""`/invoices/{id}`, while it is a draft under review: another line, a line less, its issue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.invoices import Invoice, shown
from billing.api.operation import Call, Operation
from billing.api.shapes import Code, Shape, Why
from billing.flows import operating_drafts as operating
from billing.kernel.money import MOST_AMOUNT
from billing.validators.api_key import Scope


class LineGiven(Why):
    """A line; a negative amount takes something off. `tax_rate` null: it bears none."""

    description: str = Field(min_length=1, max_length=500)
    amount_minor: Annotated[int, Field(ge=-MOST_AMOUNT, le=MOST_AMOUNT, description="In minor units.")]
    tax_rate: Code | None = "standard"


class LineNamed(Why):
    """Which line, by its position in the document."""

    position: int = Field(ge=1, le=operating.MOST_POSITION)


def _add(call: Call) -> None:
    given: LineGiven = call.body
    operating.add_line(
        call.parts,
        _mine(call),
        description=given.description,
        amount_minor=given.amount_minor,
        tax_rate=given.tax_rate,
        order=call.order(_told(call), reason=given.reason),
    )


def _remove(call: Call) -> None:
    order = call.order(_told(call), reason=call.body.reason)
    operating.remove_line(call.parts, _mine(call), position=call.body.position, order=order)


def _release(call: Call) -> None:
    operating.release(call.parts, _mine(call), order=call.order(_told(call), reason=call.body.reason))


def _mine(call: Call) -> UUID:
    with call.parts.begin() as session:
        return shown(session, call.seller_id, call.id).id


def _told(call: Call) -> Callable[[Session], Invoice]:
    return lambda session: shown(session, call.seller_id, call.id)


def _verb(name: str, about: str, act: Callable[[Call], None], body: type[Shape]) -> Operation:
    return Operation("POST", f"/invoices/{{id}}/{name}", name.replace("-", "_"), about, Scope.MONEY, act, Invoice,
                     body=body, versioned=True)  # fmt: skip


OPERATIONS = (
    _verb("add-line", "Add a line to a draft; its sums follow.", _add, LineGiven),
    _verb("remove-line", "Take a line off a draft; its sums follow.", _remove, LineNamed),
    _verb("release", "Issue a draft now instead of when its review ends.", _release, Why),
)
