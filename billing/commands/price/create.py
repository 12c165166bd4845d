"""Create prices. A price never changes: a new amount is a new price."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.models import Price, Product, TaxRate
from billing.queries.catalog import stored_tiers
from billing.validators.price import NewPrice, check_new_price


def create_prices(session: Session, *, seller_id: UUID, new: Sequence[NewPrice], now: datetime) -> dict[str, UUID]:
    """Write the prices in three statements; return their ids by code.

    Raises `Refused`: the faults of `check_new_price`, `product_not_found`, `tax_rate_not_found`, `price_code_taken`.
    """
    if not new:
        return {}
    for price in new:
        check_new_price(price)
    found = session.execute(select(Product.code, Product.id).where(Product.seller_id == seller_id))
    products = {row.code: row.id for row in found}
    rated = session.execute(select(TaxRate.name, TaxRate.id).where(TaxRate.seller_id == seller_id))
    rates = {row.name: row.id for row in rated}
    _require_known(new, products, rates)
    rows = [
        {
            "id": id_,
            "seller_id": seller_id,
            "product_id": products[price.product_code],
            "tax_rate_id": rates[price.tax_rate] if price.tax_rate else None,
            "code": price.code,
            "currency": price.currency,
            "model": price.model,
            "unit_amount": price.unit_amount,
            "tiers": None if (tiers := stored_tiers(price)) is None else json.dumps(tiers),
            "package_size": price.package_size,
            "usage": price.usage,
            "interval_unit": price.interval_unit,
            "interval_count": price.interval_count,
        }
        for id_, price in zip(new_ids(len(new)), new, strict=True)
    ]
    written = insert_rows(session, Price, rows, unless_taken=("seller_id", "code"), returning=("code", "id"))
    ids = {row.code: row.id for row in written}
    if taken := [price.code for price in new if price.code not in ids]:
        raise Refused([Fault("code", "price_code_taken", f"{code} is taken; prices don't change") for code in taken])
    emit_many(
        session,
        topic=Topic.PRICE_CREATED,
        object_type="price",
        now=now,
        events=[(seller_id, id_, "{}") for id_ in ids.values()],
    )
    return ids


def create_price(session: Session, *, seller_id: UUID, new: NewPrice, now: datetime) -> Price:
    """Write one price. See `create_prices`."""
    ids = create_prices(session, seller_id=seller_id, new=[new], now=now)
    return session.get_one(Price, ids[new.code])


def _require_known(new: Sequence[NewPrice], products: dict[str, UUID], rates: dict[str, UUID]) -> None:
    faults = []
    for price in new:
        if price.product_code not in products:
            faults.append(Fault("product", "product_not_found", f"create the product {price.product_code} first"))
        if price.tax_rate is not None and price.tax_rate not in rates:
            faults.append(Fault("tax_rate", "tax_rate_not_found", f"put the tax rate {price.tax_rate} first"))
    if faults:
        raise Refused(faults)
