"""The first bill of a subscription that is taken in: when, and what, as the renewal flow will write it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.commands.profile.tax_id import tax_id_facts
from billing.commands.subscription.plan import PlannedItem, PlannedSubscription
from billing.flows.intake_check import Checked
from billing.flows.intake_input import FirstBill
from billing.kernel.period import boundary, period_no_at
from billing.rules.discount import Discount, discount_shares
from billing.rules.lines import exact_amount, priced
from billing.rules.proration import ProrationUnit, prorated_charge
from billing.rules.tax import in_force, treatment
from billing.rules.totals import LineAmount, totals
from billing.rules.walk import STUB


def first_bill(checked: Checked, seller: str, plan: PlannedSubscription, now: datetime) -> FirstBill:
    """What is known of it: what is used of metered prices comes on top. Raises `Refused` as the tax rules do."""
    profile = checked.customers.all[seller, plan.new.account_id].profile
    home = checked.sellers.all[seller, seller]
    unit = ProrationUnit(home.policy.proration)
    items = (*plan.items, *plan.one_offs)
    reversible, _ = tax_id_facts(profile.personal.tax_id, country=profile.country, seller_country=home.country, now=now)
    rates = [in_force(price.rate, plan.next_due_at, home.timezone) for price, _ in items]
    taxes = [treatment(home.country, profile.country, reversible, rate, home.policy.oss) for rate in rates]
    amounts = [_amount(plan, item, unit) for item in items]
    known = [(amount, tax) for amount, tax in zip(amounts, taxes, strict=True) if amount is not None]
    discounts = [0] * len(known)
    if plan.new.coupon_code is not None:
        coupon = checked.coupons.all[seller, plan.new.coupon_code]
        discounts = discount_shares(
            Discount(coupon.percent, coupon.amount_minor), [(amount, True) for amount, _ in known]
        )
    lines = [LineAmount(amount, tax, off) for (amount, tax), off in zip(known, discounts, strict=True)]
    running = period_no_at(plan.anchor_at, plan.timezone, plan.interval, now)
    return FirstBill(
        seller=seller,
        subscription=plan.new.code,
        account_id=plan.new.account_id,
        at=plan.next_due_at,
        total_minor=totals(lines).total_minor,
        currency=plan.currency,
        due_now=0 if plan.next_due_at > now else max(0, running + 1 - plan.next_period_no),
    )


def _amount(plan: PlannedSubscription, item: PlannedItem, unit: ProrationUnit) -> int | None:
    """Minor units before discount and tax; None of a metered price, which is billed when its period is over."""
    price, quantity = item
    if quantity is None:
        return None
    if plan.next_period_no != STUB or price.given.interval_unit is None:
        return priced(price.terms, Decimal(quantity)).amount_minor
    return prorated_charge(
        full=exact_amount(price.terms, Decimal(quantity)),
        at=plan.new.start,
        full_start=boundary(plan.anchor_at, plan.timezone, plan.interval, STUB),
        end=plan.anchor_at,
        unit=unit,
        zone=plan.timezone,
    ).amount_minor
