"""Put a tax rate: create it, or change the percents of later documents."""

from __future__ import annotations

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
    state = {
        "percent": new.percent,
        "inclusive": new.inclusive,
        "countries": {country: f"{percent:f}" for country, percent in new.countries.items()},
    }
    row = insert(TaxRate).values(id=new_id(), seller_id=seller_id, name=new.name, version=1, **state)
    session.execute(row.on_conflict_do_nothing(index_elements=["seller_id", "name"]))
    rate = session.scalars(
        select(TaxRate).where(TaxRate.seller_id == seller_id, TaxRate.name == new.name).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    for name, value in state.items():
        if getattr(rate, name) != value:
            setattr(rate, name, value)
    session.flush()
    return rate
