"""Tax rates, put on order: which percent was said from when, by whom and why, stands in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.tax_rate.put import put_tax_rate, rate_columns
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import TaxRate
from billing.queries.intake import rate_as_given
from billing.validators.tax_rate import NewTaxRate


def put(parts: Parts, session: Session, *, seller_id: UUID, new: NewTaxRate, order: Order) -> TaxRate:
    """Make the rate of that name be as `new` says, within the caller's transaction. A repeat changes nothing.

    Raises `Refused` and `Stale` as `commands.tax_rate.put` does.
    """
    known = _locked(session, seller_id, new.name)
    before = {} if known is None else rate_columns(rate_as_given(known))
    rate = put_tax_rate(session, seller_id=seller_id, new=new, expected_version=order.expected_version)
    after = rate_columns(rate_as_given(rate))
    changed = [name for name, value in after.items() if before.get(name) != value]
    if changed:
        note(
            parts,
            session,
            order,
            action="tax_rate.put",
            subject_type="tax_rate",
            subject_id=rate.id,
            seller_id=seller_id,
            before={name: _written(before[name]) for name in changed if name in before},
            after={name: _written(after[name]) for name in changed},
        )
    return rate


def change(
    parts: Parts, seller_id: UUID, name: str, *, wanted: Callable[[NewTaxRate], NewTaxRate], order: Order
) -> Done:
    """Put what `wanted` makes of a rate as it stands. Raises as `put` does, and `Refused` (`tax_rate_not_found`)."""
    with carry_out(parts, order) as session:
        row = _locked(session, seller_id, name)
        if row is None:
            raise Refused(Fault("tax_rate", "tax_rate_not_found", f"put the tax rate {name} first"))
        new = wanted(rate_as_given(row))
        changed = rate_columns(new) != rate_columns(rate_as_given(row))
        put(parts, session, seller_id=seller_id, new=new, order=order)
        told = "changed, for what is sold from its day on; issued documents keep their percents"
        return Done(row.id, name, changed=changed, told=told if changed else "nothing was changed")


def _locked(session: Session, seller_id: UUID, name: str) -> TaxRate | None:
    query = select(TaxRate).where(TaxRate.seller_id == seller_id, TaxRate.name == name).with_for_update()
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def _written(value: object) -> object:
    return value if isinstance(value, bool | dict | list) else str(value)
