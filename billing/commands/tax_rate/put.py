"""Put a tax rate: create it, or change the percents of later documents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import TaxRate
from billing.validators.tax_rate import NewTaxRate, check_new_tax_rate


def put_tax_rate(session: Session, *, seller_id: UUID, new: NewTaxRate) -> TaxRate:
    """Make the rate of that name be as `new` says; a repeat changes nothing. Issued documents keep their percents.

    Raises `Refused`: the faults of `check_new_tax_rate`.
    """
    check_new_tax_rate(new)
    insert_rate(session, seller_id=seller_id, new=new)
    rate = session.scalars(
        select(TaxRate).where(TaxRate.seller_id == seller_id, TaxRate.name == new.name).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    for name, value in _state(new).items():
        if getattr(rate, name) != value:
            setattr(rate, name, value)
    session.flush()
    return rate


def insert_rate(session: Session, *, seller_id: UUID, new: NewTaxRate) -> bool:
    """Write it, unless there is one of that name. Returns whether there was none."""
    row = insert(TaxRate).values(id=new_id(), seller_id=seller_id, name=new.name, version=1, **_state(new))
    made = row.on_conflict_do_nothing(index_elements=["seller_id", "name"]).returning(TaxRate.id)
    return session.execute(made).one_or_none() is not None


def _state(new: NewTaxRate) -> dict[str, Any]:
    return {
        "percent": new.percent,
        "inclusive": new.inclusive,
        "countries": {country: f"{percent:f}" for country, percent in new.countries.items()},
    }
