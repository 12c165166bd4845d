"""The cast: the scenario's seller, catalog and customers, written by the engine's own commands.

Names in a file are free text; here they get codes by their order, so that what is ordered by code is ordered by name.
Parties are filled with synthetic data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.commands.coupon.create import create_coupon
from billing.commands.payment_method.adopt import Adopted, adopt_methods
from billing.commands.price.create import create_prices
from billing.commands.product.create import create_products
from billing.commands.profile.create import create_profiles
from billing.commands.seller.create import create_seller
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows.payment_methods import adopt, attach_key, customer_key, remove
from billing.kernel.ids import new_id
from billing.models import Profile
from billing.queries.payment_method import default_method
from billing.sandbox.scenario.model import CustomerSpec, PriceSpec, Scenario, SellerSpec, Subscribe
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice, NewTier
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller, SellerPolicy
from billing.validators.tax_rate import NewTaxRate

_METHODS = {
    "visa": "pm_card_visa",
    "declined": "pm_card_chargeCustomerFail",
    "insufficient_funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "lost_card": "pm_card_visa_chargeDeclinedLostCard",
    "expired_card": "pm_card_chargeDeclinedExpiredCard",
    "authentication_required": "pm_card_authenticationRequired",
    "processing_error": "pm_sandbox_processingError",
    "timeout_after_charge": "pm_sandbox_timeoutAfterCharge",
    "timeout_before_charge": "pm_sandbox_timeoutBeforeCharge",
}
"""The Stripe stand-in's test methods by the scenario's names."""
_PAYPAL = {"paypal": "B-SANDBOX-GOOD"}
"""The PayPal stand-in's."""

_SOMEWHERE = Address("Street 1", city="Town", postal_code="10000")


@dataclass(frozen=True, slots=True)
class Codes:
    """The code of each name of the file, by kind of name."""

    prices: dict[str, str]
    tax_rates: dict[str, str]
    coupons: dict[str, str]
    customers: dict[str, str]
    subscriptions: dict[str, str]

    @classmethod
    def of(cls, scenario: Scenario) -> Codes:
        """By the order of names."""
        subscribed = {step.name for step in scenario.steps if isinstance(step, Subscribe)}
        return cls(
            prices=_numbered("price", scenario.prices),
            tax_rates=_numbered("rate", scenario.seller.tax_rates),
            coupons=_numbered("coupon", scenario.coupons),
            customers=_numbered("customer", scenario.customers),
            subscriptions=_numbered("subscription", subscribed),
        )


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what is there, by the names of the file."""

    codes: Codes
    seller_id: UUID
    profiles: dict[str, UUID]
    prices: dict[UUID, str]
    """Names by id."""


def put_on(stage: Stage, scenario: Scenario) -> Cast:
    """Write the seller, what it sells and who buys, payment methods included."""
    codes = Codes.of(scenario)
    with stage.parts.begin() as session:
        seller_id = _seller(session, scenario.seller, stage.now)
        for name, rate in scenario.seller.tax_rates.items():
            new = NewTaxRate(codes.tax_rates[name], rate.percent, inclusive=rate.inclusive, countries=rate.countries)
            put_tax_rate(session, seller_id=seller_id, new=new)
        products = [NewProduct(codes.prices[name], price.product) for name, price in scenario.prices.items()]
        create_products(session, seller_id=seller_id, new=products, now=stage.now)
        prices = [_price(codes, name, price) for name, price in scenario.prices.items()]
        ids = create_prices(session, seller_id=seller_id, new=prices, now=stage.now)
        for name, coupon in scenario.coupons.items():
            terms = NewCoupon(
                codes.coupons[name], coupon.percent, coupon.amount_minor, None, coupon.duration, coupon.periods
            )
            create_coupon(session, seller_id=seller_id, new=terms)
        profiles = _profiles(session, stage, seller_id, codes, scenario)
    methods = {profiles[name]: each.payment_method for name, each in scenario.customers.items() if each.payment_method}
    _bring_methods(stage, seller_id, methods)
    return Cast(codes, seller_id, profiles, {ids[codes.prices[name]]: name for name in scenario.prices})


def _bring_methods(stage: Stage, seller_id: UUID, methods: Mapping[UUID, str]) -> None:
    """First methods come as an import brings them: at the provider one by one, then as rows together."""
    with stage.parts.begin() as session:
        found = session.execute(select(Profile.id, Profile.anonymous_id).where(Profile.id.in_(methods))).all()
    adopted: dict[UUID, list[Adopted]] = {}
    for profile_id, anonymous_id in found:
        account, ref = _of_stand_in(stage, methods[profile_id])
        provider = stage.parts.provider(account)
        customer = provider.create_customer(anonymous_id=anonymous_id, key=customer_key(anonymous_id, account))
        facts = provider.attach_method(customer_ref=customer, method_ref=ref, key=attach_key(customer, ref))
        new = Adopted(profile_id, customer, facts, _consent(stage), given_ref=ref)
        adopted.setdefault(account, []).append(new)
    with stage.parts.begin() as session:
        for account, there in adopted.items():
            adopt_methods(session, seller_id=seller_id, provider_account_id=account, adopted=there, now=stage.now)


def _of_stand_in(stage: Stage, method: str) -> tuple[UUID, str]:
    """The provider account at which a method of that name is, and its name there."""
    if method in _PAYPAL:
        return stage.account("paypal"), _PAYPAL[method]
    return stage.account("stripe"), _METHODS[method]


def _consent(stage: Stage) -> Consent:
    return Consent(text_version="scenario", given_at=stage.now - timedelta(days=1), channel="import")


def give_method(stage: Stage, profile_id: UUID, method: str | None) -> None:
    """Make it the customer's default, always a new one; None: the customer has none from now on."""
    if method is None:
        _take_methods(stage, profile_id)
        return
    account, ref = _of_stand_in(stage, method)
    adopt(
        stage.parts,
        profile_id=profile_id,
        provider_account_id=account,
        method_ref=ref,
        consent=_consent(stage),
        method_id=new_id(),
        as_default=True,
    )


def _take_methods(stage: Stage, profile_id: UUID) -> None:
    while True:
        with stage.parts.begin() as session:
            found = default_method(session, profile_id)
        if found is None:
            return
        remove(stage.parts, method_id=found.id)


def _numbered(kind: str, names: object) -> dict[str, str]:
    return {name: f"{kind}-{place:04d}" for place, name in enumerate(sorted(names), start=1)}  # type: ignore[call-overload]


def _seller(session: Session, given: SellerSpec, now: datetime) -> UUID:
    policy = SellerPolicy(
        catch_up=given.catch_up,
        catch_up_limit=1,
        dunning_final=given.final,
        # Delays of a scenario are exact, and no network counts its cards (the contract, rule 11).
        dunning_hours=None,
        card_limit="off",
        upcoming_days=0,
        debit_notice_days=0,
        proration=given.proration,
        # A scenario names nobody, and no law asks for its documents.
        complete_documents=False,
        e_invoices="off",
    )
    new = NewSeller(
        code="SCENARIO",
        legal_name="Scenario Seller",
        country=given.country,
        currency=given.currency,
        timezone=given.timezone,
        address=_SOMEWHERE,
        tax_id="SCENARIO",
        policy=policy,
    )
    seller = create_seller(session, new=new, actor="simulate", reason="a scenario", now=now)
    # As they stand in the file: a scenario may retry more often, or sooner, than a seller should.
    seller.dunning_retry_s = [int(delay.total_seconds()) for delay in given.retries]
    session.flush()
    return seller.id


def _price(codes: Codes, name: str, given: PriceSpec) -> NewPrice:
    return NewPrice(
        code=codes.prices[name],
        product_code=codes.prices[name],
        currency=given.currency,
        unit_amount=given.unit_amount,
        interval_unit=given.interval_unit,
        interval_count=given.interval_count,
        tax_rate=codes.tax_rates[given.tax_rate] if given.tax_rate else None,
        model=given.model,
        tiers=tuple(NewTier(tier.up_to, tier.unit, tier.flat) for tier in given.tiers),
        package_size=given.package_size,
        usage=given.usage,
    )


def _profiles(session: Session, stage: Stage, seller_id: UUID, codes: Codes, scenario: Scenario) -> dict[str, UUID]:
    new = [_profile(codes.customers[name], customer) for name, customer in scenario.customers.items()]
    ids = create_profiles(session, stage.parts.keyring, seller_id=seller_id, new=new, now=stage.now)
    profiles = {name: ids[codes.customers[name]] for name in scenario.customers}
    # Any number will do in a scenario: none is checked. The profiles are made without one.
    taxed = [profiles[name] for name, each in scenario.customers.items() if each.tax_id is not None]
    session.execute(update(Profile).where(Profile.id.in_(taxed)).values(has_tax_id=True))
    return profiles


def _profile(code: str, given: CustomerSpec) -> NewProfile:
    return NewProfile(
        account_id=code,
        country=given.country,
        personal=Personal(
            name=f"Person {code}",
            email=f"{code}@example.com",
            address=_SOMEWHERE,
        ),
        timezone=given.timezone,
        buyer_kind="business" if given.tax_id else "consumer",
    )
