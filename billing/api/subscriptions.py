"""`/subscriptions`: who has what. A new one is answered with its open invoice; nobody waits for the charge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import ChargedBack, Code, Id, Instant, Listed, Minor, Paging, Shape, Timezone, Version, facts
from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import operating_subscriptions as operating
from billing.flows.subscribing import subscribe_within
from billing.queries.api.subscriptions import subscriptions, the_subscription
from billing.validators.api_key import Scope
from billing.validators.subscription import MOST_ITEMS, MOST_QUANTITY, MOST_TRIAL_DAYS, NewItem, NewSubscription


class ItemGiven(Shape):
    """One price, and how many of it: 1 where it is left out; a metered price has none."""

    price: Code
    quantity: int | None = Field(default=None, ge=1, le=MOST_QUANTITY)


Items = Annotated[list[ItemGiven], Field(min_length=1, max_length=MOST_ITEMS)]


class SubscriptionCreate(Shape):
    """A new one. `start` is now unless given."""

    code: Code
    account_id: str = Field(min_length=1, max_length=200)
    items: Items
    start: Instant | None = None
    anchor: Instant | None = None
    trial_days: int | None = Field(default=None, ge=0, le=MOST_TRIAL_DAYS)
    coupon: Code | None = None
    timezone: Timezone | None = None
    collection: Literal["automatic", "send_invoice"] = "automatic"
    days_until_due: int = Field(default=30, ge=0, le=365)
    first_payment: bool = Field(
        default=False,
        description="Active only once its first invoice is paid; refused where the default method takes days.",
    )


class Item(Shape):
    """One price of a subscription."""

    price: str
    quantity: int | None


class InvoiceSaid(Shape):
    """A document in short."""

    id: Id
    number: str | None
    status: str
    currency: str
    total_minor: Minor
    amount_remaining_minor: Minor
    amount_charged_back_minor: ChargedBack


class Subscription(Shape):
    """Who has what, until when it is billed, and the document that came last."""

    id: Id
    code: str
    profile_id: Id
    account_id: str
    status: str
    items: list[Item]
    currency: str
    interval_unit: str
    interval_count: int
    timezone: str
    anchor_at: Instant
    started_at: Instant
    trial_end: Instant | None
    current_period_start: Instant | None
    current_period_end: Instant | None
    next_due_at: Instant | None
    cancel_at: Instant | None
    ended_at: Instant | None
    collection: str
    days_until_due: int
    coupon: str | None
    change_scheduled: bool
    on_hold: bool
    latest_invoice: InvoiceSaid | None
    created_at: Instant
    version: Version


class SubscriptionQuery(Paging):
    """Which subscriptions."""

    profile_id: Id | None = None
    code: Code | None = None


class Reasoned(Shape):
    """An order that may say why; it is kept in the audit trail."""

    reason: str | None = Field(default=None, min_length=1, max_length=500)


class ChangeGiven(Reasoned):
    """The complete new list of items."""

    items: Items
    when: ChangeWhen = Field(default=ChangeWhen.NOW, strict=False)
    proration: Proration = Field(default=Proration.PRORATE, strict=False)


class CancelGiven(Reasoned):
    """When, and what becomes of what is paid and not used: with `prorate` it is given back, and with `unused: refund`
    it goes to where it came from, which needs the scope `money` as well."""

    when: CancelWhen = Field(default=CancelWhen.PERIOD_END, strict=False)
    prorate: bool = False
    unused: Unused = Field(default=Unused.BALANCE, strict=False)


class CouponGiven(Reasoned):
    """A coupon in the place of any other."""

    coupon: Code


def shown(session: Session, seller_id: UUID, id_: UUID) -> Subscription:
    """One of this seller's. Raises `Refused` (`not_found`)."""
    row = the_subscription(session, seller_id, id_)
    if row is None:
        raise missing("subscription")
    return facts(Subscription, row)


def items_of(given: Sequence[ItemGiven]) -> tuple[NewItem, ...]:
    """As the flows take them."""
    return tuple(NewItem(each.price, each.quantity) for each in given)


def _create(call: Call) -> None:
    given: SubscriptionCreate = call.body

    def act(session: Session) -> Subscription:
        new = NewSubscription(
            code=given.code,
            account_id=given.account_id,
            items=items_of(given.items),
            start=given.start or call.parts.clock.now(session),
            anchor=given.anchor,
            trial_days=given.trial_days,
            coupon_code=given.coupon,
            timezone=given.timezone,
            collection=given.collection,
            days_until_due=given.days_until_due,
            first_payment=given.first_payment,
        )
        (made,) = subscribe_within(call.parts, session, seller_id=call.seller_id, new=[new])
        return shown(session, call.seller_id, made.subscription_id)

    call.do(act)


def _show(call: Call) -> Subscription:
    with call.parts.begin() as session:
        return shown(session, call.seller_id, call.id)


def _list(call: Call) -> Listed[Subscription]:
    wanted: SubscriptionQuery = call.query
    with call.parts.begin() as session:
        page = subscriptions(
            session,
            call.seller_id,
            profile_id=wanted.profile_id,
            code=wanted.code,
            after=wanted.after,
            limit=wanted.limit,
        )
    return Listed[Subscription](data=[facts(Subscription, row) for row in page.rows], next=page.next)


def _change(call: Call) -> None:
    given: ChangeGiven = call.body
    operating.change(
        call.parts,
        _mine(call),
        items=items_of(given.items),
        when=given.when,
        proration=given.proration,
        order=call.order(_told(call), reason=given.reason),
    )


def _cancel(call: Call) -> None:
    given: CancelGiven = call.body
    if given.unused is Unused.REFUND:
        call.require(Scope.MONEY)
    operating.cancel(
        call.parts,
        _mine(call),
        when=given.when,
        prorate=given.prorate,
        unused=given.unused,
        order=call.order(_told(call), reason=given.reason),
    )


def _uncancel(call: Call) -> None:
    operating.uncancel(call.parts, _mine(call), order=call.order(_told(call), reason=call.body.reason))


def _pause(call: Call) -> None:
    operating.pause(call.parts, _mine(call), order=call.order(_told(call), reason=call.body.reason))


def _resume(call: Call) -> None:
    operating.resume(call.parts, _mine(call), order=call.order(_told(call), reason=call.body.reason))


def _coupon(call: Call) -> None:
    order = call.order(_told(call), reason=call.body.reason)
    operating.apply_coupon(call.parts, _mine(call), coupon_code=call.body.coupon, order=order)


def _mine(call: Call) -> UUID:
    """The id, once it is known to be this seller's."""
    with call.parts.begin() as session:
        return shown(session, call.seller_id, call.id).id


def _told(call: Call) -> Callable[[Session], Subscription]:
    return lambda session: shown(session, call.seller_id, call.id)


def _verb(name: str, about: str, act: Callable[[Call], None], body: type[Shape] = Reasoned) -> Operation:
    return Operation(
        "POST", f"/subscriptions/{{id}}/{name}", f"{name}_subscription", about, Scope.WRITE, act, Subscription,
        body=body, versioned=True,
    )  # fmt: skip


OPERATIONS = (
    Operation(
        "GET", "/subscriptions", "list_subscriptions", "Subscriptions, in the order of their codes.", Scope.READ,
        _list, Listed[Subscription], query=SubscriptionQuery,
    ),
    Operation(
        "POST", "/subscriptions", "create_subscription", "Subscribe; what is due now is invoiced in the same breath.",
        Scope.WRITE, _create, Subscription, body=SubscriptionCreate, status=201,
    ),
    Operation("GET", "/subscriptions/{id}", "show_subscription", "One subscription.", Scope.READ, _show, Subscription),
    _verb("change", "Give it other items, now or at the next boundary.", _change, ChangeGiven),
    _verb("cancel", "End it, now or when the running period is over.", _cancel, CancelGiven),
    _verb("uncancel", "Take a scheduled cancel back.", _uncancel),
    _verb("pause", "Let boundaries pass unbilled.", _pause),
    _verb("resume", "Bill again from the next boundary.", _resume),
    _verb("coupon", "Put a coupon in the place of any other.", _coupon, CouponGiven),
)  # fmt: skip
