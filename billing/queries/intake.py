"""What is there already, in the shape in which it is given, so that file and database are compared field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.period import zone_info
from billing.models import Coupon, Product, Seller, Series, TaxRate
from billing.privacy.keyring import Keyring
from billing.queries.catalog import prices_by_code
from billing.queries.profile import known_profiles
from billing.queries.subscription import KnownSubscription, known_subscriptions
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile
from billing.validators.seller import NewSeller, SellerPolicy
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.tax_rate import NewRateChange, NewTaxRate


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A profile as given, and what the provider side of it is compared by."""

    profile: NewProfile
    customer_refs: frozenset[str]
    """The ids under which providers know them."""
    consents: frozenset[datetime]
    """When the customer agreed to each method that the profile has or had."""
    method_refs: frozenset[str]
    """The providers' ids of those."""
    given_refs: frozenset[tuple[datetime, str | None]]
    """By consent, the ids by which those were handed over, which providers may exchange; None: it was not kept."""


@dataclass(frozen=True, slots=True)
class Known:
    """One seller and as much of what it has as a file names."""

    seller_id: UUID
    seller: NewSeller
    tax_rates: Mapping[str, NewTaxRate]
    products: Mapping[str, NewProduct]
    prices: Mapping[str, NewPrice]
    coupons: Mapping[str, NewCoupon]
    customers: Mapping[str, KnownCustomer]
    subscriptions: Mapping[str, NewSubscription]


def known(
    session: Session, keyring: Keyring, *, seller_code: str, account_ids: Sequence[str], subscriptions: Sequence[str]
) -> Known | None:
    """Read one seller and the named customers and subscriptions in eight statements. None: no such seller."""
    found = session.execute(
        select(Seller, Series.next_no)
        .join(Series, (Series.seller_id == Seller.id) & (Series.kind == "invoice") & Series.closed_at.is_(None))
        .where(Seller.code == seller_code)
    ).one_or_none()
    if found is None:
        return None
    seller, next_number = found
    rates = session.scalars(select(TaxRate).where(TaxRate.seller_id == seller.id))
    products = session.scalars(select(Product).where(Product.seller_id == seller.id))
    coupons = session.scalars(select(Coupon).where(Coupon.seller_id == seller.id))
    return Known(
        seller_id=seller.id,
        seller=seller_as_given(seller, next_number=next_number),
        tax_rates={rate.name: rate_as_given(rate) for rate in rates},
        products={product.code: NewProduct(product.code, product.name) for product in products},
        prices={code: price.given for code, price in prices_by_code(session, seller_id=seller.id).items()},
        coupons={coupon.code: _coupon(coupon) for coupon in coupons},
        customers=_customers(session, keyring, seller.id, account_ids),
        subscriptions={
            code: _subscription(code, there)
            for code, there in known_subscriptions(session, seller_id=seller.id, codes=subscriptions).items()
        },
    )


def _subscription(code: str, there: KnownSubscription) -> NewSubscription:
    """As it was given: a trial's end is its anchor, and another anchor than the start was given as such."""
    zone = zone_info(there.timezone)
    trial, anchor = there.trial_end, None
    if trial is None and there.anchor_at != there.started_at:
        anchor = there.anchor_at
    return NewSubscription(
        code=code,
        account_id=there.account_id,
        items=tuple(NewItem(price, quantity) for price, quantity in there.items),
        start=there.started_at,
        timezone=there.timezone,
        paid_through=there.paid_through,
        collection=there.collection,
        days_until_due=there.days_until_due,
        trial_days=None
        if trial is None
        else (trial.astimezone(zone).date() - there.started_at.astimezone(zone).date()).days,
        anchor=anchor,
        coupon_code=there.coupon,
    )


def _coupon(row: Coupon) -> NewCoupon:
    return NewCoupon(
        code=row.code,
        percent=row.percent,
        amount_minor=row.amount_minor,
        currency=row.currency,
        duration=row.duration,
        periods=row.periods,
    )


def seller_as_given(row: Seller, *, next_number: int = 1) -> NewSeller:
    """A seller in the words in which one is given."""
    return NewSeller(
        code=row.code,
        legal_name=row.legal_name,
        country=row.country,
        currency=row.currency,
        timezone=row.timezone,
        address=Address(**{name: line for name, line in row.address.items() if name != "country"}),
        tax_id=row.tax_id,
        policy=SellerPolicy(
            catch_up=row.catch_up,
            catch_up_limit=row.catch_up_limit,
            dunning_retries=tuple(timedelta(seconds=delay) for delay in row.dunning_retry_s),
            dunning_final=row.dunning_final,
            dunning_hours=None
            if row.retry_first_h is None or row.retry_end_h is None
            else (row.retry_first_h, row.retry_end_h),
            card_limit=row.card_limit,
            proration=row.proration,
            oss=row.oss,
            draft_review_h=row.draft_review_h,
            guard_volume=row.guard_volume,
            guard_amount=row.guard_amount,
            guard_catch_up=row.guard_catch_up,
            upcoming_days=row.upcoming_days,
            revenue_recognition=row.revenue_recognition,
            complete_documents=row.complete_documents,
            e_invoices=row.e_invoices,
            mail_documents=row.mail_documents,
            dispute_stops_charging=row.dispute_stops_charging,
            fall_back=row.fall_back,
            method_kinds=tuple(row.method_kinds),
            debit_notice_days=row.debit_notice_days,
            creditor_id=row.creditor_id,
        ),
        next_number=next_number,
        payment_instructions=row.payment_instructions,
        document_footer=row.document_footer,
        number_prefix=row.number_prefix,
        credit_note_prefix=row.credit_note_prefix,
    )


def rate_as_given(row: TaxRate) -> NewTaxRate:
    """The rate that was put."""
    return NewTaxRate(
        name=row.name,
        percent=row.percent,
        inclusive=row.inclusive,
        countries=_decimals(row.countries),
        changes=tuple(
            NewRateChange(
                date.fromisoformat(each["starts_on"]),
                None if each["percent"] is None else Decimal(each["percent"]),
                _decimals(each["countries"]),
            )
            for each in row.changes
        ),
    )


def _decimals(countries: Mapping[str, str]) -> dict[str, Decimal]:
    return {country: Decimal(percent) for country, percent in countries.items()}


_PROVIDER_SIDE = text(
    """
    SELECT p.account_id,
           (SELECT array_agg(c.customer_ref) FROM billing.provider_customer c
            WHERE c.profile_id = p.id AND c.deleted_at IS NULL) AS customers,
           m.consents, m.methods, m.given
    FROM billing.profile p CROSS JOIN LATERAL (
        SELECT array_agg(consent_at ORDER BY id) AS consents, array_agg(given_ref ORDER BY id) AS given,
               array_agg(method_ref) FILTER (WHERE method_ref IS NOT NULL) AS methods
        FROM billing.payment_method WHERE profile_id = p.id
    ) m
    WHERE p.seller_id = :seller AND p.account_id = ANY(:accounts)
    """
)


def _customers(
    session: Session, keyring: Keyring, seller_id: UUID, account_ids: Sequence[str]
) -> dict[str, KnownCustomer]:
    profiles = known_profiles(session, keyring, seller_id=seller_id, account_ids=account_ids)
    sides = {
        row.account_id: row
        for row in session.execute(_PROVIDER_SIDE, {"seller": seller_id, "accounts": list(account_ids)})
    }
    return {
        account_id: KnownCustomer(
            NewProfile(
                account_id=account_id,
                country=there.country,
                personal=there.personal,
                timezone=there.timezone,
                buyer_kind=there.buyer_kind,
            ),
            customer_refs=frozenset(sides[account_id].customers or ()),
            consents=frozenset(sides[account_id].consents or ()),
            method_refs=frozenset(sides[account_id].methods or ()),
            given_refs=frozenset(zip(sides[account_id].consents or (), sides[account_id].given or (), strict=True)),
        )
        for account_id, there in profiles.items()
    }


_OWNERS = text(
    """
    SELECT c.customer_ref, s.code, p.account_id
    FROM billing.provider_account a
    JOIN billing.provider_customer c ON c.provider_account_id = a.id AND c.customer_ref = ANY(:refs)
    JOIN billing.profile p ON p.id = c.profile_id
    JOIN billing.seller s ON s.id = p.seller_id
    """
)


def customer_owners(session: Session, refs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Whose the providers' customers of these ids are, as far as they are anybody's: (seller code, account id)."""
    found = session.execute(_OWNERS, {"refs": list(refs)}) if refs else ()
    return {row.customer_ref: (row.code, row.account_id) for row in found}


def forgotten(session: Session, anonymous_ids: Sequence[UUID]) -> set[UUID]:
    """Those of people who were erased. Their accounts' names are gone; these ids stay."""
    query = text("SELECT anonymous_id FROM billing.profile WHERE anonymous_id = ANY(:ids) AND erased_at IS NOT NULL")
    return set(session.scalars(query, {"ids": list(anonymous_ids)}))
