"""`/products`, `/prices`, `/coupons`: what is sold, and for how much. A new amount is a new price."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Code, Currency, Exact, ExactText, Id, Instant, Listed, Minor, Paging, Shape, facts
from billing.commands.coupon.create import create_coupon
from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.kernel.money import MOST_AMOUNT
from billing.queries.api.catalog import coupons, prices, products, the_coupon, the_price, the_product
from billing.validators.api_key import Scope
from billing.validators.coupon import NewCoupon
from billing.validators.price import NewPrice, NewTier
from billing.validators.product import NewProduct


class ProductCreate(Shape):
    """What is sold. The name is what customers read on their invoices."""

    code: Code
    name: str = Field(min_length=1, max_length=200)


class Product(Shape):
    """What is sold."""

    id: Id
    code: str
    name: str
    created_at: Instant


class TierGiven(Shape):
    """Up to and including `up_to` (null: all the rest), in minor units: `unit` for each, `flat` once."""

    up_to: ExactText | None
    unit: ExactText
    flat: ExactText = "0"


class PriceCreate(Shape):
    """`unit_amount` is exact, in minor units; a graduated or volume price has `tiers` in its place. Without an interval
    it is charged once; with `usage` it is metered, and paid in arrears."""

    code: Code
    product: Code
    currency: Currency
    unit_amount: ExactText | None = None
    interval: Literal["day", "week", "month", "year"] | None = None
    interval_count: int = Field(default=1, ge=1, le=1000)
    tax_rate: Code | None = "standard"
    model: Literal["per_unit", "flat", "package", "graduated", "volume"] = "per_unit"
    tiers: list[TierGiven] = Field(default_factory=list, max_length=100)
    package_size: int | None = Field(default=None, ge=1, le=10**9)
    usage: Literal["sum", "max", "last"] | None = None


class Tier(Shape):
    """Up to and including `up_to`; null: all the rest."""

    up_to: Exact | None
    unit: Exact
    flat: Exact


class Price(Shape):
    """An amount for a product and an interval."""

    id: Id
    code: str
    product: str
    currency: str
    model: str
    unit_amount: Exact | None
    tiers: list[Tier] | None
    package_size: int | None
    interval: str | None
    interval_count: int
    usage: str | None
    tax_rate: str | None
    created_at: Instant


class CouponCreate(Shape):
    """A discount: a percent, or an amount (of `currency`, null: of any). `periods` goes with `repeating`."""

    code: Code
    percent: ExactText | None = None
    amount_minor: int | None = Field(default=None, ge=1, le=MOST_AMOUNT)
    currency: Currency | None = None
    duration: Literal["once", "repeating", "forever"] = "once"
    periods: int | None = Field(default=None, ge=1, le=1000)


class Coupon(Shape):
    """A discount."""

    id: Id
    code: str
    percent: Exact | None
    amount_minor: Minor | None
    currency: str | None
    duration: str
    periods: int | None
    created_at: Instant


def _create_product(call: Call) -> None:
    given: ProductCreate = call.body

    def act(session: Session) -> Product:
        new, now = NewProduct(given.code, given.name), call.parts.clock.now(session)
        made = create_product(session, seller_id=call.seller_id, new=new, now=now)
        return _product(session, call.seller_id, made.id)

    call.do(act)


def _create_price(call: Call) -> None:
    given: PriceCreate = call.body
    new = NewPrice(
        code=given.code,
        product_code=given.product,
        currency=given.currency,
        unit_amount=_decimal(given.unit_amount),
        interval_unit=given.interval,
        interval_count=given.interval_count,
        tax_rate=given.tax_rate,
        model=given.model,
        tiers=tuple(NewTier(_decimal(each.up_to), Decimal(each.unit), Decimal(each.flat)) for each in given.tiers),
        package_size=given.package_size,
        usage=given.usage,
    )

    def act(session: Session) -> Price:
        made = create_price(session, seller_id=call.seller_id, new=new, now=call.parts.clock.now(session))
        return shown_price(session, call.seller_id, made.id)

    call.do(act)


def _create_coupon(call: Call) -> None:
    given: CouponCreate = call.body
    new = NewCoupon(
        code=given.code,
        percent=_decimal(given.percent),
        amount_minor=given.amount_minor,
        currency=given.currency,
        duration=given.duration,
        periods=given.periods,
    )

    def act(session: Session) -> Coupon:
        made = create_coupon(session, seller_id=call.seller_id, new=new)
        return _coupon(session, call.seller_id, made.id)

    call.do(act)


def _decimal(given: str | None) -> Decimal | None:
    return None if given is None else Decimal(given)


def _product(session: Session, seller_id: UUID, id_: UUID) -> Product:
    row = the_product(session, seller_id, id_)
    if row is None:
        raise missing("product")
    return facts(Product, row)


def shown_price(session: Session, seller_id: UUID, id_: UUID) -> Price:
    """One of this seller's. Raises `Refused` (`not_found`)."""
    row = the_price(session, seller_id, id_)
    if row is None:
        raise missing("price")
    return facts(Price, row)


def _coupon(session: Session, seller_id: UUID, id_: UUID) -> Coupon:
    row = the_coupon(session, seller_id, id_)
    if row is None:
        raise missing("coupon")
    return facts(Coupon, row)


def _show_product(call: Call) -> Product:
    with call.parts.begin() as session:
        return _product(session, call.seller_id, call.id)


def _show_price(call: Call) -> Price:
    with call.parts.begin() as session:
        return shown_price(session, call.seller_id, call.id)


def _show_coupon(call: Call) -> Coupon:
    with call.parts.begin() as session:
        return _coupon(session, call.seller_id, call.id)


def _products(call: Call) -> Listed[Product]:
    with call.parts.begin() as session:
        page = products(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[Product](data=[facts(Product, row) for row in page.rows], next=page.next)


def _prices(call: Call) -> Listed[Price]:
    with call.parts.begin() as session:
        page = prices(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[Price](data=[facts(Price, row) for row in page.rows], next=page.next)


def _coupons(call: Call) -> Listed[Coupon]:
    with call.parts.begin() as session:
        page = coupons(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[Coupon](data=[facts(Coupon, row) for row in page.rows], next=page.next)


OPERATIONS = (
    Operation("GET", "/products", "list_products", "Products, in the order of their codes.", Scope.READ, _products,
              Listed[Product], query=Paging),
    Operation("POST", "/products", "create_product", "A thing that has prices.", Scope.CATALOG, _create_product,
              Product, body=ProductCreate, status=201),
    Operation("GET", "/products/{id}", "show_product", "One product.", Scope.READ, _show_product, Product),
    Operation("GET", "/prices", "list_prices", "Prices, in the order of their codes.", Scope.READ, _prices,
              Listed[Price], query=Paging),
    Operation("POST", "/prices", "create_price", "A price; it never changes.", Scope.CATALOG, _create_price, Price,
              body=PriceCreate, status=201),
    Operation("GET", "/prices/{id}", "show_price", "One price.", Scope.READ, _show_price, Price),
    Operation("GET", "/coupons", "list_coupons", "Coupons, in the order of their codes.", Scope.READ, _coupons,
              Listed[Coupon], query=Paging),
    Operation("POST", "/coupons", "create_coupon", "A discount; it never changes.", Scope.CATALOG, _create_coupon,
              Coupon, body=CouponCreate, status=201),
    Operation("GET", "/coupons/{id}", "show_coupon", "One coupon.", Scope.READ, _show_coupon, Coupon),
)  # fmt: skip
