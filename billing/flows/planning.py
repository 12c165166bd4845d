"""Planning a change of one subscription: what stands is read, and everything that would be written is computed.

A change is two functions (DECISIONS 8): what is planned here is written by `flows.changing` and shown by
`flows.previewing`, which neither locks nor writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.compose import Wallet
from billing.commands.subscription.biller import Biller
from billing.commands.subscription.change import Proration, Wanted, plan_change, windows_until
from billing.commands.subscription.leave import plan_give_back
from billing.commands.subscription.plan import priced_items
from billing.commands.subscription.planned import BillingPlan
from billing.commands.subscription.terms import running_span
from billing.flows.issuing import open_parties
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.queries.catalog import prices_by_code
from billing.queries.charged import charged_lines
from billing.queries.standing import Item, load_standing, prices_in_use
from billing.queries.usage import UsageWindow, Used, usage_quantities
from billing.rules.walk import Span
from billing.validators.subscription import NewItem, check_items


@dataclass(frozen=True, slots=True)
class Planning:
    """A subscription in the hands of a biller, in whose plan gathers what would be written."""

    biller: Biller
    running: Span | None
    now: datetime

    @property
    def plan(self) -> BillingPlan:
        return self.biller.made


def begin(
    parts: Parts, session: Session, *, profile_id: UUID, subscription_id: UUID, now: datetime, lock: bool = True
) -> Planning:
    """Read what stands, with locks unless `lock` is False. Raises `Refused` (`subscription_on_hold`)."""
    standing = load_standing(session, profiles=[profile_id], only=[subscription_id], lock=lock)
    if not standing.subscriptions:
        mend = "a work item holds it or its customer; see `billing work list`"
        raise Refused(Fault("subscription", "subscription_on_hold", mend))
    row: Any = standing.subscriptions[0]
    running = running_span(row)
    usage: dict[UsageWindow, Used] = {}
    if running is not None:
        usage = usage_quantities(session, windows_until(standing, row.id, Span(running.start, now)))
    parties = open_parties(parts, standing)[row.profile_id]
    plan = BillingPlan(Wallet(standing.balances, standing.carried_forward))
    return Planning(Biller(standing, row, usage, parties, plan, now), running, now)


def require_changeable(subscription: Subscription) -> None:
    """Raise `Refused` (`subscription_paused`) where its items can't be changed."""
    if subscription.status == SubscriptionStatus.PAUSED:
        raise Refused(Fault("subscription", "subscription_paused", "resume it first"))


def wanted_items(session: Session, subscription: Subscription, items: Sequence[NewItem], now: datetime) -> list[Item]:
    """The complete new list, with its prices. Raises `Refused`: the faults of items, `currency_changed`."""
    check_items(items)
    codes = [item.price_code for item in items]
    found = priced_items(items, prices_by_code(session, seller_id=subscription.seller_id, codes=codes))
    prices = prices_in_use(session, {price.id for price, _ in found})
    wanted = [Item(None, prices[price.id], quantity, now) for price, quantity in found]
    if wanted[0].price.currency != subscription.currency:
        mend = f"the subscription is in {subscription.currency}; cancel it and subscribe anew"
        raise Refused(Fault("items", "currency_changed", mend))
    return wanted


def change_now(session: Session, planning: Planning, wanted: Sequence[Item], proration: Proration) -> None:
    """Plan other items from now on."""
    charged = None if planning.running is None else charged_lines(session, planning.biller.row, planning.running)
    plan_change(planning.biller, Wanted(wanted, proration), charged, now=planning.now)


def give_back(session: Session, planning: Planning) -> None:
    """Plan the credit of what is paid and not used, before an end now."""
    running = planning.running
    if running is not None and planning.now < running.end:
        charged = charged_lines(session, planning.biller.row, running)
        plan_give_back(planning.biller, charged, running, at=planning.now)


def last_document(planning: Planning) -> None:
    """Plan the last invoice of an end now: what waits, and what was used. In a trial nothing is due."""
    if planning.running is None:
        planning.biller.drop()
        return
    closes = Span(planning.running.start, planning.now)
    paused = planning.biller.row.paused_at is not None
    planning.biller.write(closes, planning.biller.metered(closes, if_used=paused))
