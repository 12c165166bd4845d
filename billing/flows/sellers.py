"""A seller's own words and settings, changed on order: documents that were issued keep what they said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from uuid import UUID

from billing.commands.seller.change import change_seller
from billing.flows.order import Done, Order, carry_out
from billing.flows.parts import Parts
from billing.models import Seller
from billing.queries.intake import seller_as_given
from billing.validators.seller import NewSeller, SellerChange


def change(parts: Parts, seller_id: UUID, *, wanted: Callable[[NewSeller], SellerChange], order: Order) -> Done:
    """Write what `wanted` makes of the seller as it stands. A repeat changes nothing.

    Raises `Refused` and `Stale` as `commands.seller.change` does.
    """
    with carry_out(parts, order) as session:
        row = session.get_one(Seller, seller_id, with_for_update={"key_share": True}, populate_existing=True)
        before = seller_as_given(row)
        change_seller(
            session,
            seller_id=seller_id,
            change=wanted(before),
            actor=order.actor,
            reason=order.reason,
            now=parts.clock.now(session),
            expected_version=order.expected_version,
        )
        changed = list(_differences(before, seller_as_given(row)))
        told = f"{', '.join(changed)} changed, for what comes from now on" if changed else "nothing was changed"
        return Done(seller_id, row.code, changed=bool(changed), told=told)


def _differences(one: object, other: object, name: str = "") -> Iterator[str]:
    if one == other:
        return
    if not is_dataclass(one) or not is_dataclass(other):
        yield name
        return
    for each in fields(one):
        yield from _differences(getattr(one, each.name), getattr(other, each.name), each.name)
