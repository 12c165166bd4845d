"""Steps of one moment that concern each other in nothing are done together: usage, and new subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from billing.commands.usage.record import record_usage
from billing.flows.subscribing import subscribe_all
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.sandbox.scenario import steps
from billing.sandbox.scenario.playing.acts import Play, new_subscription, new_usage

MOST = 500
"""Steps of one transaction."""


@dataclass(slots=True)
class Together:
    """Steps that stand next to each other, in whatever order they are done."""

    usage: list[steps.Usage] = field(default_factory=list)
    subscribe: list[steps.Subscribe] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.usage) + len(self.subscribe)


def together_from(all_steps: Sequence[steps.Step], place: int) -> Together:
    """The steps from `place` on that may be done together; none where the first stands alone.

    Usage of what was there before, and subscriptions of different customers: neither sets off anything for the other.
    """
    found = Together()
    at = all_steps[place].at
    customers: set[str] = set()
    for step in all_steps[place : place + MOST]:
        if step.at != at or step.expect_error is not None:
            break
        if isinstance(step, steps.Usage) and all(step.subscription != each.name for each in found.subscribe):
            found.usage.append(step)
        elif isinstance(step, steps.Subscribe) and step.customer not in customers:
            customers.add(step.customer)
            found.subscribe.append(step)
        else:
            break
    return found


def use_together(play: Play, together: Sequence[steps.Usage]) -> None:
    """Record it all. Raises `Refused` where some of it is refused, with nothing done."""
    ids = {play.subscription(step.subscription) for step in together}
    with play.stage.parts.begin() as session:
        canceled = select(Subscription.id).where(
            Subscription.id.in_(ids), Subscription.status == SubscriptionStatus.CANCELED
        )
        if session.scalars(canceled).first() is not None:
            raise Refused(Fault("subscription", "subscription_canceled", "it is over"))
        new = [new_usage(play, step) for step in together]
        record_usage(session, seller_id=play.cast.seller_id, new=new, now=together[0].at)


def subscribe_together(play: Play, together: Sequence[steps.Subscribe]) -> None:
    """Subscribe them all. Raises `Refused` where one of them is refused, with nothing done."""
    new = [new_subscription(play, step) for step in together]
    made = subscribe_all(play.stage.parts, seller_id=play.cast.seller_id, new=new)
    for step, subscribed in zip(together, made, strict=True):
        play.subscriptions[step.name] = subscribed.subscription_id
