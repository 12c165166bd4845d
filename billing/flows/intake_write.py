"""Writing a checked intake: every row, seller by seller, in one transaction and a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.commands.coupon.create import create_coupon
from billing.commands.payment_method.adopt import Adopted, adopt_methods
from billing.commands.price.create import create_prices
from billing.commands.product.create import create_products
from billing.commands.profile.create import create_profiles
from billing.commands.seller.create import create_seller
from billing.commands.subscription.plan import plan_subscription
from billing.commands.subscription.subscribe import write_subscriptions
from billing.commands.tax_rate.create import create_tax_rate
from billing.flows.intake_check import Checked
from billing.flows.intake_input import Given, IntakeRefused, NewCustomer, T
from billing.flows.intake_methods import BroughtBy, anonymous_id
from billing.flows.parts import Parts
from billing.queries.catalog import prices_by_code, the_seller
from billing.queries.profile import accounts
from billing.validators.profile import NewProfile
from billing.validators.subscription import NewSubscription

# The first renewals come right after; by itself the server looks within a minute, and till then plans for empty tables.
_LOOK = text(
    "ANALYZE billing.profile, billing.payment_method, billing.subscription, billing.subscription_item,"
    " billing.billing_period"
)


@dataclass(frozen=True, slots=True)
class _Share:
    """What of an intake belongs to one seller."""

    code: str
    seller_id: UUID
    checked: Checked
    key: bytes
    now: datetime

    def of(self, given: Iterable[Given[T]]) -> list[Given[T]]:
        return [each for each in given if each.seller == self.code]


def write(
    session: Session,
    parts: Parts,
    checked: Checked,
    *,
    brought: BroughtBy,
    key: bytes,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    """Write what is new, with what was `brought` along; `key` as `bring` takes it.

    Raises `Refused` (`*_taken`, `customer_of_another_account`) where somebody else wrote the same in between,
    `IntakeRefused` where a customer was forgotten: then nothing is written.
    """
    for new in checked.sellers.new:
        create_seller(session, new=new.value, actor=actor, reason=reason, now=now)
    for code in _sellers(checked):
        share = _Share(code, the_seller(session, code).id, checked, key, now)
        _write_catalog(session, share)
        _write_coupons(session, share)
        customers = _write_customers(session, parts, share, brought)
        subscriptions = _write_subscriptions(session, share)
        record(
            session,
            actor=actor,
            action="import",
            reason=reason,
            subject_type="seller",
            subject_id=share.seller_id,
            seller_id=share.seller_id,
            now=now,
            after={"customers": customers, "subscriptions": subscriptions},
        )
    session.execute(_LOOK)


def _sellers(checked: Checked) -> list[str]:
    nouns = (
        checked.sellers, checked.tax_rates, checked.products, checked.prices, checked.coupons, checked.customers,
    )  # fmt: skip
    named = [each.seller for found in nouns for each in found.new]
    return list(dict.fromkeys(named + [each.seller for each, _ in checked.planned]))


def _write_catalog(session: Session, share: _Share) -> None:
    for rate in share.of(share.checked.tax_rates.new):
        create_tax_rate(session, seller_id=share.seller_id, new=rate.value)
    products = [each.value for each in share.of(share.checked.products.new)]
    create_products(session, seller_id=share.seller_id, new=products, now=share.now)
    prices = [each.value for each in share.of(share.checked.prices.new)]
    create_prices(session, seller_id=share.seller_id, new=prices, now=share.now)


def _write_coupons(session: Session, share: _Share) -> None:
    for coupon in share.of(share.checked.coupons.new):
        create_coupon(session, seller_id=share.seller_id, new=coupon.value)


def _write_customers(session: Session, parts: Parts, share: _Share, brought: BroughtBy) -> int:
    customers = share.of(share.checked.customers.new)
    profiles = [_named(share.key, each) for each in customers]
    ids = create_profiles(session, parts.keyring, seller_id=share.seller_id, new=profiles, now=share.now)
    adopted: dict[UUID, list[Adopted]] = defaultdict(list)
    for each in customers:
        account = each.value.profile.account_id
        there = brought.get((share.code, account))
        if there is not None:
            new = Adopted(
                ids[account], there.customer_ref, there.facts, each.value.consent, given_ref=each.value.method_ref
            )
            adopted[there.account_id].append(new)
    for account_id, theirs in adopted.items():
        adopt_methods(session, seller_id=share.seller_id, provider_account_id=account_id, adopted=theirs, now=share.now)
    return len(customers)


def _named(key: bytes, given: Given[NewCustomer]) -> NewProfile:
    profile = given.value.profile
    name = anonymous_id(key, seller=given.seller, account_id=profile.account_id)
    return replace(profile, anonymous_id=name)


def _write_subscriptions(session: Session, share: _Share) -> int:
    """Plan again with the prices as they stand now in the database, and write."""
    given = share.of(each for each, _ in share.checked.planned)
    payers = accounts(session, seller_id=share.seller_id, account_ids=[each.value.account_id for each in given])
    _require_all(given, payers)
    prices = prices_by_code(session, seller_id=share.seller_id)
    planned = [
        plan_subscription(each.value, profile_timezone=payers[each.value.account_id][1], prices=prices, now=share.now)
        for each in given
    ]
    profiles = {account: profile_id for account, (profile_id, _) in payers.items()}
    write_subscriptions(session, seller_id=share.seller_id, planned=planned, profiles=profiles, now=share.now)
    return len(planned)


def _require_all(given: Iterable[Given[NewSubscription]], payers: Collection[str]) -> None:
    """The provider is asked in between: a customer who was there may have been forgotten meanwhile."""
    mend = "the person was forgotten meanwhile; leave them out of the file, or give a new account"
    gone = [each.fault("customer", "profile_erased", mend) for each in given if each.value.account_id not in payers]
    if gone:
        raise IntakeRefused(gone)
