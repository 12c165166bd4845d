"""Reads of sellers and what they sell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db.base import JsonList
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import plain
from billing.models import Coupon, Seller
from billing.models import TaxRate as StoredRate
from billing.rules.lines import PriceTerms
from billing.rules.tax import TaxRate
from billing.validators.price import NewPrice, NewTier


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """A price as it was given, with its id and what its tax rate says."""

    id: UUID
    given: NewPrice
    rate: TaxRate | None

    @property
    def terms(self) -> PriceTerms:
        """What decides the amount of a quantity."""
        return PriceTerms.of(
            model=self.given.model,
            unit_amount=self.given.unit_amount,
            tiers=stored_tiers(self.given),
            package_size=self.given.package_size,
        )


def stored_tiers(price: NewPrice) -> JsonList | None:
    """The tiers as the column has them: decimals as strings, the last without bound."""
    if not price.tiers:
        return None
    return [
        {"up_to": None if tier.up_to is None else plain(tier.up_to), "unit": plain(tier.unit), "flat": plain(tier.flat)}
        for tier in price.tiers
    ]


_PRICES = text(
    """
    SELECT p.id, p.code, d.code AS product_code, p.currency, p.model, p.unit_amount, p.tiers, p.package_size, p.usage,
           p.interval_unit, p.interval_count, r.name AS tax_rate, r.percent, r.inclusive, r.countries, r.changes
    FROM billing.price p
    JOIN billing.product d ON d.id = p.product_id
    LEFT JOIN billing.tax_rate r ON r.id = p.tax_rate_id
    WHERE p.seller_id = :seller AND (CAST(:codes AS text[]) IS NULL OR p.code = ANY(:codes))
    """
)


def prices_by_code(session: Session, *, seller_id: UUID, codes: Sequence[str] | None = None) -> dict[str, PriceFacts]:
    """The seller's prices of these codes (None: all), in one statement."""
    found = session.execute(_PRICES, {"seller": seller_id, "codes": None if codes is None else list(codes)})
    return {
        row.code: PriceFacts(
            id=row.id,
            given=NewPrice(
                code=row.code,
                product_code=row.product_code,
                currency=row.currency,
                unit_amount=row.unit_amount,
                interval_unit=row.interval_unit,
                interval_count=row.interval_count,
                tax_rate=row.tax_rate,
                model=row.model,
                tiers=tuple(_tier(stored) for stored in row.tiers or ()),
                package_size=row.package_size,
                usage=row.usage,
            ),
            rate=None
            if row.tax_rate is None
            else TaxRate.of(percent=row.percent, inclusive=row.inclusive, countries=row.countries, changes=row.changes),
        )
        for row in found
    }


def _tier(stored: Mapping[str, str | None]) -> NewTier:
    up_to, unit, flat = stored["up_to"], stored["unit"], stored["flat"]
    assert unit is not None
    assert flat is not None
    return NewTier(None if up_to is None else Decimal(up_to), Decimal(unit), Decimal(flat))


def usable_coupon(session: Session, *, seller_id: UUID, code: str, currency: str) -> Coupon:
    """The seller's coupon, for something in `currency`.

    Raises `Refused` (`coupon_not_found`, `coupon_of_another_currency`).
    """
    found = session.scalars(select(Coupon).where(Coupon.seller_id == seller_id, Coupon.code == code)).one_or_none()
    if found is None:
        raise Refused(Fault("coupon", "coupon_not_found", f"no coupon has the code {code}"))
    if found.currency not in (None, currency):
        raise Refused(Fault("coupon", "coupon_of_another_currency", f"it takes off {found.currency}; choose another"))
    return found


def rate_by_name(session: Session, *, seller_id: UUID, name: str | None) -> TaxRate | None:
    """The seller's rate of that name; None names no tax. Raises `Refused` (`tax_rate_not_found`)."""
    if name is None:
        return None
    query = select(StoredRate).where(StoredRate.seller_id == seller_id, StoredRate.name == name)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise Refused(Fault("tax_rate", "tax_rate_not_found", f"put the tax rate {name} first"))
    return TaxRate.of(
        percent=found.percent, inclusive=found.inclusive, countries=found.countries, changes=found.changes
    )


def rates_of_seller(session: Session, seller_id: UUID) -> Sequence[StoredRate]:
    """Their rows, in the order of their names."""
    return session.scalars(select(StoredRate).where(StoredRate.seller_id == seller_id).order_by(StoredRate.name)).all()


def the_seller(session: Session, code: str) -> Seller:
    """The seller of that code. Raises `Refused` (`seller_not_found`)."""
    seller = session.scalars(select(Seller).where(Seller.code == code)).one_or_none()
    if seller is None:
        raise Refused(Fault("seller", "seller_not_found", f"no seller has the code {code}"))
    return seller


_HOLD = text(
    """
    SELECT r.id FROM billing.tax_rate r JOIN billing.subscription s ON s.seller_id = r.seller_id
    WHERE s.id = :subscription ORDER BY r.id FOR SHARE OF r
    """
)


def hold_rates(session: Session, *, subscription_id: UUID) -> None:
    """Let no rate of a subscription's seller be put until the transaction ends. Others may hold them too."""
    session.execute(_HOLD, {"subscription": subscription_id}).all()
