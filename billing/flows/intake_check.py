"""Checking an intake before anything is written: each row by its rules, against the others, against what is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from billing.commands.subscription.plan import PlannedSubscription, plan_subscription
from billing.commands.tax_rate.put import rate_columns
from billing.flows.intake_compare import as_stored, comparable, differing, knows_method
from billing.flows.intake_input import Given, Intake, LineFault, NewCustomer
from billing.kernel.errors import Fault, Refused
from billing.queries.catalog import PriceFacts
from billing.queries.intake import Known
from billing.rules.tax import TaxRate
from billing.validators.coupon import NewCoupon, check_new_coupon
from billing.validators.payment_method import (
    PROVIDERS,
    check_consent,
    check_customer_ref,
    check_method_ref,
)
from billing.validators.price import NewPrice, check_new_price
from billing.validators.product import NewProduct, check_new_product
from billing.validators.profile import check_new_profile
from billing.validators.seller import NewSeller, check_new_seller
from billing.validators.subscription import NewSubscription, check_new_subscription
from billing.validators.tax_rate import NewTaxRate, check_new_tax_rate

T = TypeVar("T")
Named = dict[tuple[str, str], T]
"""By seller code and the thing's own name."""
Account = tuple[str, str]
"""(seller code, account id)"""
_NOT_YET = UUID(int=0)
_OTHERWISE = "it is there with another value; change it there, or say the same here"


@dataclass(slots=True)
class Sorted(Generic[T]):
    """One noun: what is new, in file order, and all that there will be by name, whether new or known."""

    new: list[Given[T]] = field(default_factory=list)
    all: Named[T] = field(default_factory=dict)
    bad: set[tuple[str, str]] = field(default_factory=set)
    """Names of those that break a rule of their own: nothing is concluded from them."""
    unchanged: int = 0


@dataclass(slots=True)
class Checked:
    """An intake, sorted and planned. It may be written if `faults` is empty."""

    sellers: Sorted[NewSeller]
    tax_rates: Sorted[NewTaxRate]
    products: Sorted[NewProduct]
    prices: Sorted[NewPrice]
    coupons: Sorted[NewCoupon]
    customers: Sorted[NewCustomer]
    subscriptions: Sorted[NewSubscription]
    planned: list[tuple[Given[NewSubscription], PlannedSubscription]]
    faults: list[LineFault]


def check(
    intake: Intake,
    known: dict[str, Known],
    owners: Mapping[str, Account],
    forgotten: Collection[Account],
    *,
    now: datetime,
) -> Checked:
    """Compare and check everything; pure. `known` by seller code holds what the file names and the database has.

    `owners` says of a provider's customers by their ids whose they are; `forgotten` are those who were erased.
    """
    faults: list[LineFault] = []
    sellers = _sort(
        intake.sellers,
        {(code, code): there.seller for code, there in known.items()},
        name=lambda new: new.code,
        check=check_new_seller,
        same_as=_same_seller,
        faults=faults,
    )
    tax_rates = _sort(
        intake.tax_rates,
        {(code, name): rate for code, there in known.items() for name, rate in there.tax_rates.items()},
        name=lambda new: new.name,
        check=check_new_tax_rate,
        faults=faults,
    )
    products = _sort(
        intake.products,
        {(code, name): product for code, there in known.items() for name, product in there.products.items()},
        name=lambda new: new.code,
        check=check_new_product,
        faults=faults,
    )
    prices = _sort(
        intake.prices,
        {(code, name): price for code, there in known.items() for name, price in there.prices.items()},
        name=lambda new: new.code,
        check=check_new_price,
        faults=faults,
    )
    coupons = _sort(
        intake.coupons,
        {(code, name): coupon for code, there in known.items() for name, coupon in there.coupons.items()},
        name=lambda new: new.code,
        check=check_new_coupon,
        faults=faults,
    )
    customers = _sort(
        intake.customers,
        {
            (code, name): NewCustomer(customer.profile)
            for code, there in known.items()
            for name, customer in there.customers.items()
        },
        name=lambda new: new.profile.account_id,
        check=lambda new: _check_customer(new, now),
        same_as=comparable,
        faults=faults,
    )
    subscriptions = _sort(
        intake.subscriptions,
        {(code, name): there for code, each in known.items() for name, there in each.subscriptions.items()},
        name=lambda new: new.code,
        check=check_new_subscription,
        same_as=lambda new, there: as_stored(new, there, prices.all),
        faults=faults,
    )
    _check_repeats(intake.subscriptions, faults)
    _check_sellers(intake, sellers, faults)
    _check_owners(intake.customers, owners, faults)
    for each in intake.customers:
        if _account(each) in forgotten:
            mend = "the person was forgotten; leave them out of the file, or give a new account"
            faults.append(each.fault("account_id", "profile_erased", mend))
    _check_methods(intake.customers, known, faults)
    _check_prices(prices, products, tax_rates, faults)
    planned = _plan(subscriptions, customers, prices, tax_rates, faults, now=now)
    _check_coupons(planned, coupons, faults)
    return Checked(sellers, tax_rates, products, prices, coupons, customers, subscriptions, planned, faults)


def _sort(
    given: Sequence[Given[T]],
    known: Named[T],
    *,
    name: Callable[[T], str],
    check: Callable[[T], None],
    faults: list[LineFault],
    same_as: Callable[[Given[T], T], T] | None = None,
) -> Sorted[T]:
    """`same_as` puts what is given into the words in which what is there can be asked."""
    found: Sorted[T] = Sorted(all=dict(known))
    first: Named[Given[T]] = {}
    for each in given:
        key = (each.seller, name(each.value))
        before = first.setdefault(key, each)
        if before is not each:
            faults += differing(each, before.value, each.value, "given_twice", f"line {before.line} says otherwise")
            continue
        wrong = _faults_of(each, check)
        if wrong:
            found.bad.add(key)
            faults += wrong
        there = known.get(key)
        if there is None:
            found.new.append(each)
            found.all[key] = each.value
            continue
        given_so = same_as(each, there) if same_as else each.value
        differs = differing(each, there, given_so, "exists_and_differs", _OTHERWISE)
        faults += differs
        found.unchanged += not differs
    return found


def _faults_of(given: Given[T], check: Callable[[T], None]) -> list[LineFault]:
    """The faults that `check` raises, each on its field's line."""
    try:
        check(given.value)
    except Refused as refusal:
        return [given.fault(each.field, each.code, each.mend) for each in refusal.faults]
    return []


def _same_seller(new: Given[NewSeller], there: NewSeller) -> NewSeller:
    """A series only goes on: a number that it has passed was the next one once; one ahead of it would be lost."""
    return replace(new.value, next_number=max(new.value.next_number, there.next_number))


def _check_customer(new: NewCustomer, now: datetime) -> None:
    check_new_profile(new.profile)
    if new.method_ref is not None:
        check_method_ref(new.method_ref, field="provider_payment_method_id")
    if new.customer_ref is not None:
        check_customer_ref(new.customer_ref)
    if new.provider not in PROVIDERS:
        raise Refused(Fault("provider", "unknown_provider", f"give one of {', '.join(PROVIDERS)}"))
    if new.consent is not None:
        check_consent(new.consent, now=now)


def _check_repeats(given: Sequence[Given[NewSubscription]], faults: list[LineFault]) -> None:
    first: dict[tuple[str, str], int] = {}
    for each in given:
        line = first.setdefault((each.seller, each.value.code), each.line)
        if line != each.line:
            mend = f"line {line} has it already; give each subscription once"
            faults.append(each.fault("code", "given_twice", mend))


def _check_sellers(intake: Intake, sellers: Sorted[NewSeller], faults: list[LineFault]) -> None:
    owned: Iterable[Given[Any]] = (
        *intake.tax_rates, *intake.products, *intake.prices, *intake.coupons, *intake.customers,
        *intake.subscriptions,
    )  # fmt: skip
    for each in owned:
        if (each.seller, each.seller) not in sellers.all:
            mend = "give the seller in this file, or create it first"
            faults.append(each.fault("seller", "seller_not_found", mend))


def _check_owners(given: Sequence[Given[NewCustomer]], owners: Mapping[str, Account], faults: list[LineFault]) -> None:
    """A provider's customer is one profile's, in the file and with what is there."""
    first: dict[str, Given[NewCustomer]] = {}
    for each in given:
        ref = each.value.customer_ref
        if ref is None:
            continue
        before = first.setdefault(ref, each)
        if _account(before) != _account(each):
            mend = f"line {before.line} has it; a provider's customer is one profile's"
            faults.append(each.fault("provider_customer_id", "given_twice", mend))
        if owners.get(ref, _account(each)) != _account(each):
            mend = "it is the customer of another account that is there; give this one's own, or leave it out"
            faults.append(each.fault("provider_customer_id", "customer_of_another_account", mend))


def _account(given: Given[NewCustomer]) -> Account:
    return given.seller, given.value.profile.account_id


def _check_methods(given: Sequence[Given[NewCustomer]], known: dict[str, Known], faults: list[LineFault]) -> None:
    for each in given:
        new = each.value
        if new.method_ref is not None and new.consent is None:
            mend = "give the time at which the customer agreed to later charges"
            faults.append(each.fault("consent_at", "consent_missing", mend))
        seller = known.get(each.seller)
        there = seller.customers.get(new.profile.account_id) if seller else None
        if there is None:
            continue
        if new.customer_ref is not None and new.customer_ref not in there.customer_refs:
            faults.append(each.fault("provider_customer_id", "exists_and_differs", _OTHERWISE))
        if not knows_method(new, there) or (new.consent is not None and new.consent.given_at not in there.consents):
            mend = (
                "the customer is there without this method; they give it on their page (`billing profile link`), "
                "or your program takes it over (`adopt_payment_method`)"
            )
            faults.append(each.fault("provider_payment_method_id", "exists_and_differs", mend))


def _check_prices(
    prices: Sorted[NewPrice], products: Sorted[NewProduct], rates: Sorted[NewTaxRate], faults: list[LineFault]
) -> None:
    for each in prices.new:
        price = each.value
        if (each.seller, price.product_code) not in products.all:
            mend = f"no product has the code {price.product_code}"
            faults.append(each.fault("product", "product_not_found", mend))
        if price.tax_rate is not None and (each.seller, price.tax_rate) not in rates.all:
            mend = f"no tax rate has the name {price.tax_rate}"
            faults.append(each.fault("tax_rate", "tax_rate_not_found", mend))


def _check_coupons(
    planned: Sequence[tuple[Given[NewSubscription], PlannedSubscription]],
    coupons: Sorted[NewCoupon],
    faults: list[LineFault],
) -> None:
    for each, plan in planned:
        code = each.value.coupon_code
        if code is None or (each.seller, code) in coupons.bad:
            continue
        coupon = coupons.all.get((each.seller, code))
        if coupon is None:
            faults.append(each.fault("coupon", "coupon_not_found", f"no coupon has the code {code}"))
        elif coupon.currency not in (None, plan.currency):
            mend = f"it takes off {coupon.currency}; choose another"
            faults.append(each.fault("coupon", "coupon_of_another_currency", mend))


def _plan(
    subscriptions: Sorted[NewSubscription],
    customers: Sorted[NewCustomer],
    prices: Sorted[NewPrice],
    rates: Sorted[NewTaxRate],
    faults: list[LineFault],
    *,
    now: datetime,
) -> list[tuple[Given[NewSubscription], PlannedSubscription]]:
    catalogs = _catalogs(prices, rates)
    planned = []
    for each in subscriptions.new:
        customer = customers.all.get((each.seller, each.value.account_id))
        if customer is None:
            mend = f"no customer has the account {each.value.account_id}"
            faults.append(each.fault("customer", "profile_not_found", mend))
            continue
        if (each.seller, each.value.account_id) in customers.bad or _names_broken(each, prices, catalogs):
            continue
        zone, catalog = customer.profile.timezone, catalogs.get(each.seller, {})
        try:
            plan = plan_subscription(each.value, profile_timezone=zone, prices=catalog, now=now)
        except Refused as refusal:
            faults += [each.fault(one.field, one.code, one.mend) for one in refusal.faults]
            continue
        planned.append((each, plan))
    return planned


def _names_broken(
    each: Given[NewSubscription], prices: Sorted[NewPrice], catalogs: dict[str, dict[str, PriceFacts]]
) -> bool:
    """Whether it has a price that is there but can't be used: that fault is told where the price stands."""
    usable = catalogs.get(each.seller, {})
    return any(
        (each.seller, item.price_code) in prices.all and item.price_code not in usable for item in each.value.items
    )


def _catalogs(prices: Sorted[NewPrice], rates: Sorted[NewTaxRate]) -> dict[str, dict[str, PriceFacts]]:
    catalogs: dict[str, dict[str, PriceFacts]] = {}
    for (seller, code), price in prices.all.items():
        if (seller, code) in prices.bad or (seller, price.tax_rate) in rates.bad:
            continue
        named = rates.all.get((seller, price.tax_rate)) if price.tax_rate else None
        rate = TaxRate.of(**rate_columns(named)) if named else None
        catalogs.setdefault(seller, {})[code] = PriceFacts(id=_NOT_YET, given=price, rate=rate)
    return catalogs
