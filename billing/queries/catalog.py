"""Reads of sellers and what they sell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Seller
from billing.rules.tax import TaxRate


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """A price with what subscribing and previewing need of it. `unit_amount` is in minor units of `currency`."""

    id: UUID
    code: str
    product_code: str
    currency: str
    unit_amount: Decimal
    interval_unit: str
    interval_count: int
    tax_rate: str | None
    rate: TaxRate | None


_PRICES = text(
    """
    SELECT p.id, p.code, d.code AS product_code, p.currency, p.unit_amount, p.interval_unit, p.interval_count,
           r.name AS tax_rate, r.percent, r.inclusive, r.countries
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
            code=row.code,
            product_code=row.product_code,
            currency=row.currency,
            unit_amount=row.unit_amount,
            interval_unit=row.interval_unit,
            interval_count=row.interval_count,
            tax_rate=row.tax_rate,
            rate=None
            if row.tax_rate is None
            else TaxRate.of(percent=row.percent, inclusive=row.inclusive, countries=row.countries),
        )
        for row in found
    }


def the_seller(session: Session, code: str) -> Seller:
    """The seller of that code. Raises `Refused` (`seller_not_found`)."""
    seller = session.scalars(select(Seller).where(Seller.code == code)).one_or_none()
    if seller is None:
        raise Refused(Fault("seller", "seller_not_found", f"no seller has the code {code}"))
    return seller
