"""The steps of a timeline."""

from fractions import Fraction

from tests.oracle import changes, collection, corrections, documents, items, periods, times, usage
from tests.oracle.state import Line, Refused, Subscription, World


def _coupon(*, world: World, sub: Subscription, name: str) -> None:
    coupon = world.coupons[name]
    left = {"once": 1, "repeating": coupon.get("periods"), "forever": None}
    sub.coupon, sub.coupon_left = coupon, left[coupon.get("duration", "once")]


def subscribe(*, world: World, step: dict) -> None:
    """Starts a subscription and bills its first period, unless it has a trial."""
    customer = world.customers[step["customer"]]
    recurring, once = items.split(world=world, items=step["items"])
    interval, count = items.rhythm(world=world, items=recurring)
    sub = Subscription(
        name=step["as"],
        customer=customer,
        started=world.now,
        anchor=world.now,
        start=world.now,
        end=world.now,
        k=0,
        interval=interval,
        count=count,
        currency=items.currency(world=world, items=recurring),
        status="active",
        automatic=step.get("collection", "automatic") == "automatic",
        days_until_due=step.get("days_until_due", 30),
        items=[],
    )
    sub.items = items.replaced(world=world, sub=sub, items=recurring, since=world.now)
    sub.waiting = [items.one_off(world=world, item=x) for x in once]
    world.subscriptions[sub.name] = sub
    if step.get("coupon"):
        _coupon(world=world, sub=sub, name=step["coupon"])
    if step.get("trial_days"):
        sub.anchor = sub.end = times.after_days(at=world.now, days=step["trial_days"], zone=customer.zone)
        sub.trial, sub.status, sub.k, sub.trial_end = True, "trialing", -1, sub.end
        return
    if step.get("anchor") is not None:
        sub.anchor = sub.end = times.moment(value=step["anchor"])
        sub.k = -1
    else:
        sub.end = sub.boundary(k=1)
    lines = items.charge_period(world=world, sub=sub)
    periods.bill_now(world=world, sub=sub, lines=lines, period=(sub.start, sub.end))


def _change(*, world: World, sub: Subscription, step: dict) -> None:
    if sub.status == "paused":
        raise Refused("subscription_paused")
    if step.get("when", "now") == "period_end":
        sub.scheduled = step["items"]
        return
    changes.change_now(world=world, sub=sub, entries=step["items"], proration=step.get("proration", "prorate"))


def _cancel(*, world: World, sub: Subscription, step: dict) -> None:
    if step.get("when", "now") == "period_end":
        sub.canceling = True
        return
    changes.cancel_now(world=world, sub=sub, prorate=step.get("prorate", False))


def _uncancel(*, world: World, sub: Subscription, step: dict) -> None:
    if not sub.canceling:
        raise Refused("not_canceling")
    sub.canceling = False


def _pause(*, world: World, sub: Subscription, step: dict) -> None:
    if sub.status == "paused":
        raise Refused("already_paused")
    if sub.status not in {"active", "past_due"}:
        raise Refused("not_active")
    sub.status = "paused"
    sub.pauses.append([world.now, None])


def _resume(*, world: World, sub: Subscription, step: dict) -> None:
    if sub.status != "paused":
        raise Refused("not_paused")
    sub.pauses[-1][1] = world.now
    sub.status = "past_due" if collection.failing(world=world, sub=sub) else "active"


def _usage(*, world: World, sub: Subscription, step: dict) -> None:
    stamp = times.moment(value=step["timestamp"]) if step.get("timestamp") is not None else world.now
    usage.record(world=world, sub=sub, price=step["price"], quantity=step["quantity"], id=str(step["id"]), stamp=stamp)


def _apply_coupon(*, world: World, sub: Subscription, step: dict) -> None:
    _coupon(world=world, sub=sub, name=step["coupon"])


def _set_payment_method(*, world: World, step: dict) -> None:
    customer = world.customers[step["customer"]]
    collection.new_method(world=world, customer=customer, method=step["payment_method"])


def _one_off_charge(*, world: World, step: dict) -> None:
    line = Line(
        kind="one_off", price=None, rate="standard", quantity=Fraction(1), amount=int(step["amount"]), period=None
    )
    customer = world.customers[step["customer"]]
    document = documents.issue(world=world, customer=customer, sub=None, lines=[line], period=None)
    collection.collect(world=world, document=document)


def _grant_credit(*, world: World, step: dict) -> None:
    currency = world.seller["currency"]
    world.customers[step["customer"]].credit(currency=currency, amount=int(step["amount"]))


def _outage(*, world: World, step: dict) -> None:
    """Nothing at its moment: the player knows the outages beforehand, as work due at their start waits too."""


ON_SUBSCRIPTION = {
    "change": _change,
    "cancel": _cancel,
    "uncancel": _uncancel,
    "pause": _pause,
    "resume": _resume,
    "usage": _usage,
    "apply_coupon": _apply_coupon,
}
OTHER = {
    "subscribe": subscribe,
    "set_payment_method": _set_payment_method,
    "charge": _one_off_charge,
    "grant_credit": _grant_credit,
    "refund": corrections.refund,
    "void": corrections.void,
    "mark_uncollectible": corrections.mark_uncollectible,
    "mark_paid": corrections.mark_paid,
    "outage": _outage,
}


def take(*, world: World, step: dict) -> None:
    """Takes one step; on a subscription in an outage, after that subscription's overdue boundaries."""
    if step["do"] in OTHER:
        OTHER[step["do"]](world=world, step=step)
        return
    sub = world.subscriptions[step["subscription"]]
    if step["do"] != "usage":
        periods.catch_up(world=world, sub=sub)
    if sub.status == "canceled":
        raise Refused("subscription_canceled")
    ON_SUBSCRIPTION[step["do"]](world=world, sub=sub, step=step)
