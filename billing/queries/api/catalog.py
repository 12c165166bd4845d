"""The catalog as the API shows it, in the order of codes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by
from billing.queries.operations.paging import Facts, read_all

_PRODUCT = "SELECT x.id, x.code, x.name, x.created_at FROM billing.product x"
_PRICE = """
SELECT x.id, x.code, d.code AS product, x.currency, x.model, x.unit_amount, x.tiers, x.package_size,
       x.interval_unit AS interval, x.interval_count, x.usage, t.name AS tax_rate, x.created_at
FROM billing.price x
JOIN billing.product d ON d.id = x.product_id AND d.seller_id = x.seller_id
LEFT JOIN billing.tax_rate t ON t.id = x.tax_rate_id AND t.seller_id = x.seller_id
"""
_COUPON = """
SELECT x.id, x.code, x.percent, x.amount_minor, x.currency, x.duration, x.periods, x.created_at FROM billing.coupon x
"""
_TAX_RATE = """
SELECT x.id, x.name, x.percent, x.inclusive, x.countries, x.changes, x.version FROM billing.tax_rate x
"""
_TAX_RATES = """
WHERE x.seller_id = :seller AND (CAST(:after AS text) IS NULL OR x.name > :after) ORDER BY x.name LIMIT :limit
"""
_ONE = " WHERE x.id = :id AND x.seller_id = :seller"
_PAGE = """
WHERE x.seller_id = :seller AND (CAST(:after AS text) IS NULL OR x.code > :after) ORDER BY x.code LIMIT :limit
"""


def the_product(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    return next(iter(read_all(session, _PRODUCT + _ONE, {"seller": seller_id, "id": id_})), None)


def products(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them."""
    return page_by(session, f"{_PRODUCT} {_PAGE}", {"seller": seller_id}, after=after, limit=limit, by="code")


def the_price(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    return next(iter(read_all(session, _PRICE + _ONE, {"seller": seller_id, "id": id_})), None)


def prices(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them."""
    return page_by(session, f"{_PRICE} {_PAGE}", {"seller": seller_id}, after=after, limit=limit, by="code")


def the_coupon(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    return next(iter(read_all(session, _COUPON + _ONE, {"seller": seller_id, "id": id_})), None)


def coupons(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them."""
    return page_by(session, f"{_COUPON} {_PAGE}", {"seller": seller_id}, after=after, limit=limit, by="code")


def the_tax_rate(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    return next(iter(read_all(session, _TAX_RATE + _ONE, {"seller": seller_id, "id": id_})), None)


def tax_rates(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of them, in the order of their names."""
    return page_by(session, f"{_TAX_RATE} {_TAX_RATES}", {"seller": seller_id}, after=after, limit=limit, by="name")
