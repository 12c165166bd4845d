"""Acts: what each kind of step does, by the engine's flows. A refusal leaves as `Refused`, with nothing done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.usage.record import record_usage
from billing.flows import changing, correcting, external_money
from billing.flows.charging import charge_once
from billing.flows.refunding import refund
from billing.flows.subscribing import subscribe
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SubscriptionStatus
from billing.models import Invoice, Subscription
from billing.sandbox.scenario import steps
from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.playing.cast import Cast, give_method
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.usage import NewUsage


@dataclass(slots=True)
class Play:
    """A scenario on its stage, and what its names have become."""

    scenario: Scenario
    stage: Stage
    cast: Cast
    subscriptions: dict[str, UUID] = field(default_factory=dict)

    def subscription(self, name: str) -> UUID:
        """What the name has become. Raises `Refused` (`subscription_not_found`)."""
        if name not in self.subscriptions:
            raise Refused(Fault("subscription", "subscription_not_found", "its `subscribe` was refused"))
        return self.subscriptions[name]

    def invoice_at(self, place: int) -> UUID:
        """The invoice in that place of the output. Raises `Refused` (`invoice_not_found`)."""
        with self.stage.parts.begin() as session:
            invoices = in_order(session.execute(DOCUMENTS.where(Invoice.kind == "invoice")).all())
        if place > len(invoices):
            raise Refused(Fault("invoice", "invoice_not_found", f"there are {len(invoices)} invoices so far"))
        id_: UUID = invoices[place - 1].id
        return id_


DOCUMENTS = select(
    Invoice.id, Invoice.issued_at, Invoice.period_start, Invoice.period_end, Invoice.series_no, Subscription.code
).outerjoin(Subscription, Subscription.id == Invoice.subscription_id)


def in_order(rows: Iterable[Any]) -> list[Any]:
    """By issue moment; of one moment charges first, then by subscription name and period, then as they were issued."""
    return sorted(
        rows,
        key=lambda row: (
            row.issued_at,
            row.code or "",
            row.period_start or row.issued_at,
            row.period_end or row.issued_at,
            row.id,
        ),
    )


def act(play: Play, step: steps.Step) -> None:
    """Do what the step says. Raises `Refused` where the engine refuses it."""
    _ACTS[type(step)](play, step)


def new_subscription(play: Play, step: steps.Subscribe) -> NewSubscription:
    """What the step subscribes to."""
    codes = play.cast.codes
    return NewSubscription(
        code=codes.subscriptions[step.name],
        account_id=codes.customers[step.customer],
        items=_items(play, step.items),
        start=step.at,
        collection=step.collection,
        days_until_due=step.days_until_due,
        trial_days=step.trial_days,
        anchor=step.anchor,
        coupon_code=codes.coupons[step.coupon] if step.coupon else None,
    )


def _subscribe(play: Play, step: steps.Subscribe) -> None:
    made = subscribe(play.stage.parts, seller_id=play.cast.seller_id, new=new_subscription(play, step))
    play.subscriptions[step.name] = made.subscription_id


def _items(play: Play, items: tuple[steps.ItemSpec, ...]) -> tuple[NewItem, ...]:
    return tuple(NewItem(play.cast.codes.prices[item.price], item.quantity) for item in items)


def _change(play: Play, step: steps.Change) -> None:
    with play.stage.parts.begin() as session:
        changing.change(
            play.stage.parts,
            session,
            play.subscription(step.subscription),
            items=_items(play, step.items),
            when=ChangeWhen(step.when),
            proration=Proration(step.proration),
        )


def _cancel(play: Play, step: steps.Cancel) -> None:
    with play.stage.parts.begin() as session:
        changing.cancel(
            play.stage.parts,
            session,
            play.subscription(step.subscription),
            when=CancelWhen(step.when),
            prorate=step.prorate,
        )


def _uncancel(play: Play, step: steps.Uncancel) -> None:
    with play.stage.parts.begin() as session:
        changing.uncancel(play.stage.parts, session, play.subscription(step.subscription))


def _pause(play: Play, step: steps.Pause) -> None:
    with play.stage.parts.begin() as session:
        changing.pause(play.stage.parts, session, play.subscription(step.subscription))


def _resume(play: Play, step: steps.Resume) -> None:
    with play.stage.parts.begin() as session:
        changing.resume(play.stage.parts, session, play.subscription(step.subscription))


def _apply_coupon(play: Play, step: steps.ApplyCoupon) -> None:
    with play.stage.parts.begin() as session:
        code = play.cast.codes.coupons[step.coupon]
        changing.apply_coupon(play.stage.parts, session, play.subscription(step.subscription), coupon_code=code)


def new_usage(play: Play, step: steps.Usage) -> NewUsage:
    """The record of the step."""
    codes = play.cast.codes
    return NewUsage(
        subscription=codes.subscriptions[step.subscription],
        price_code=codes.prices[step.price],
        record_id=step.id,
        quantity=step.quantity,
        used_at=step.timestamp,
    )


def _usage(play: Play, step: steps.Usage) -> None:
    with play.stage.parts.begin() as session:
        # The contract refuses any step on what is over; the command lets a batch that is sent again pass.
        if session.get_one(Subscription, play.subscription(step.subscription)).status == SubscriptionStatus.CANCELED:
            raise Refused(Fault("subscription", "subscription_canceled", "it is over"))
        record_usage(session, seller_id=play.cast.seller_id, new=[new_usage(play, step)], now=step.at)


def _set_payment_method(play: Play, step: steps.SetPaymentMethod) -> None:
    give_method(play.stage, play.cast.profiles[step.customer], step.payment_method)


def _charge(play: Play, step: steps.Charge) -> None:
    with play.stage.parts.begin() as session:
        charge_once(
            play.stage.parts,
            session,
            play.cast.profiles[step.customer],
            amount_minor=step.amount_minor,
            currency=play.scenario.seller.currency,
            description=step.description,
            tax_rate=play.cast.codes.tax_rates.get("standard"),
        )


def _grant_credit(play: Play, step: steps.GrantCredit) -> None:
    if not step.amount_minor:
        return
    with play.stage.parts.begin() as session:
        grant_credit(
            session,
            profile_id=play.cast.profiles[step.customer],
            amount_minor=step.amount_minor,
            currency=play.scenario.seller.currency,
            now=step.at,
        )


def _refund(play: Play, step: steps.RefundStep) -> None:
    refund(play.stage.parts, play.invoice_at(step.invoice), amount_minor=step.amount_minor)


def _void(play: Play, step: steps.VoidStep) -> None:
    correcting.void(play.stage.parts, play.invoice_at(step.invoice))


def _mark_uncollectible(play: Play, step: steps.MarkUncollectible) -> None:
    correcting.mark_uncollectible(play.stage.parts, play.invoice_at(step.invoice))


def _mark_paid(play: Play, step: steps.MarkPaid) -> None:
    external_money.mark_paid(play.stage.parts, play.invoice_at(step.invoice), reference="scenario")


def _outage(_: Play, __: steps.Outage) -> None:
    """Nothing happens at its moment: the player knows the outages beforehand, as work due at their start waits too."""


_ACTS: dict[type[steps.Step], Callable[[Play, Any], None]] = {
    steps.Subscribe: _subscribe,
    steps.Change: _change,
    steps.Cancel: _cancel,
    steps.Uncancel: _uncancel,
    steps.Pause: _pause,
    steps.Resume: _resume,
    steps.ApplyCoupon: _apply_coupon,
    steps.Usage: _usage,
    steps.SetPaymentMethod: _set_payment_method,
    steps.Charge: _charge,
    steps.GrantCredit: _grant_credit,
    steps.RefundStep: _refund,
    steps.VoidStep: _void,
    steps.MarkUncollectible: _mark_uncollectible,
    steps.MarkPaid: _mark_paid,
    steps.Outage: _outage,
}
