"""`/usage`: what was used of metered prices, up to 10,000 records a call, all or nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation
from billing.api.shapes import Code, Exact, ExactText, Id, Instant, Listed, Paging, Shape, facts
from billing.commands.usage.record import record_usage
from billing.queries.api.usage import late_usage
from billing.validators.api_key import Scope
from billing.validators.usage import MOST_RECORD_ID, MOST_RECORDS, NewUsage


class UsageGiven(Shape):
    """One record. `id` is yours, unique in the subscription: a repeat is ignored. `used_at` is now unless given."""

    subscription: Code
    price: Code
    id: str = Field(min_length=1, max_length=MOST_RECORD_ID, pattern=r"^[^\x00]*$")
    quantity: ExactText
    used_at: Instant | None = None


class UsageBatch(Shape):
    """Records of any subscriptions."""

    records: Annotated[list[UsageGiven], Field(min_length=1, max_length=MOST_RECORDS)]


class RecordNamed(Shape):
    """A record, by your id of it."""

    subscription: str
    id: str


class UsageRecorded(Shape):
    """How many are new, how many were there already, and how many of the new came too late to be billed. `differing`:
    those that were there and say another price, quantity or time than what was given now, which is ignored."""

    written: int
    repeated: int
    late: int
    differing: list[RecordNamed]


class LateUsage(Shape):
    """A record of a price by the highest or latest value that came after its period was billed: it changes nothing."""

    id: Id
    account_id: str
    subscription: str
    price: str
    usage: str
    record_id: str
    quantity: Exact
    used_at: Instant
    created_at: Instant


def _late(call: Call) -> Listed[LateUsage]:
    with call.parts.begin() as session:
        page = late_usage(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[LateUsage](data=[facts(LateUsage, row) for row in page.rows], next=page.next)


def _record(call: Call) -> None:
    batch: UsageBatch = call.body
    new = [
        NewUsage(each.subscription, each.price, each.id, Decimal(each.quantity), each.used_at) for each in batch.records
    ]

    def act(session: Session) -> UsageRecorded:
        made = record_usage(session, seller_id=call.seller_id, new=new, now=call.parts.clock.now(session))
        named = dict.fromkeys((new[place - 1].subscription, new[place - 1].record_id) for place in made.differing)
        return UsageRecorded(
            written=made.written,
            repeated=made.repeated,
            late=made.late,
            differing=[RecordNamed(subscription=code, id=id_) for code, id_ in named],
        )

    call.do(act)


OPERATIONS = (
    Operation("POST", "/usage", "record_usage", "Record usage, all of it or none.", Scope.WRITE, _record, UsageRecorded,
              body=UsageBatch, body_limit=4 * 1024 * 1024),
    Operation("GET", "/usage/late", "list_late_usage", "What came too late to be billed, newest first.", Scope.READ,
              _late, Listed[LateUsage], query=Paging),
)  # fmt: skip
