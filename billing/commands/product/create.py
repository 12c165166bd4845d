"""Create products."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.models import Product
from billing.validators.product import NewProduct, check_new_product


def create_products(session: Session, *, seller_id: UUID, new: Sequence[NewProduct], now: datetime) -> dict[str, UUID]:
    """Write the products in one statement; return their ids by code.

    Raises `Refused`: the faults of `check_new_product`, `product_code_taken`.
    """
    if not new:
        return {}
    for product in new:
        check_new_product(product)
    rows = [
        {"id": id_, "seller_id": seller_id, "code": product.code, "name": product.name, "version": 1}
        for id_, product in zip(new_ids(len(new)), new, strict=True)
    ]
    written = insert_rows(session, Product, rows, unless_taken=("seller_id", "code"), returning=("code", "id"))
    ids = {row.code: row.id for row in written}
    if taken := [product.code for product in new if product.code not in ids]:
        raise Refused([Fault("code", "product_code_taken", f"{code} is taken; choose another") for code in taken])
    emit_many(
        session,
        topic=Topic.PRODUCT_CREATED,
        object_type="product",
        now=now,
        events=[(seller_id, id_, "{}") for id_ in ids.values()],
    )
    return ids


def create_product(session: Session, *, seller_id: UUID, new: NewProduct, now: datetime) -> Product:
    """Write one product. See `create_products`."""
    ids = create_products(session, seller_id=seller_id, new=[new], now=now)
    return session.get_one(Product, ids[new.code])
