"""Put a tax rate: create it, or change the percents of later documents."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.ids import new_id
from billing.kernel.money import plain
from billing.models import Price, TaxRate
from billing.validators.tax_rate import NewTaxRate, check_new_tax_rate


def put_tax_rate(session: Session, *, seller_id: UUID, new: NewTaxRate, expected_version: int | None = None) -> TaxRate:
    """Make the rate of that name be as `new` says; a repeat changes nothing. Issued documents keep their percents.

    Raises `Refused`: the faults of `check_new_tax_rate`, `tax_included_fixed`; `Stale` where the caller saw another
    version, or one is expected and there is none.
    """
    check_new_tax_rate(new)
    if insert_rate(session, seller_id=seller_id, new=new) and expected_version is not None:
        raise Stale(f"version {expected_version} was expected, and there is no rate of that name; reload")
    rate = session.scalars(
        select(TaxRate).where(TaxRate.seller_id == seller_id, TaxRate.name == new.name).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    require_version(rate, expected_version)
    if rate.inclusive != new.inclusive and session.scalar(select(exists().where(Price.tax_rate_id == rate.id))):
        mend = "its prices would be others: make a rate of another name, and prices that bear it"
        raise Refused(Fault("inclusive", "tax_included_fixed", mend))
    for name, value in rate_columns(new).items():
        if getattr(rate, name) != value:
            setattr(rate, name, value)
    session.flush()
    return rate


def insert_rate(session: Session, *, seller_id: UUID, new: NewTaxRate) -> bool:
    """Write it, unless there is one of that name. Returns whether there was none."""
    row = insert(TaxRate).values(id=new_id(), seller_id=seller_id, name=new.name, version=1, **rate_columns(new))
    made = row.on_conflict_do_nothing(index_elements=["seller_id", "name"]).returning(TaxRate.id)
    return session.execute(made).one_or_none() is not None


def rate_columns(new: NewTaxRate) -> dict[str, Any]:
    """What its row says, by column."""
    return {
        "percent": new.percent,
        "inclusive": new.inclusive,
        "countries": _texts(new.countries),
        "changes": [
            {
                "starts_on": change.starts_on.isoformat(),
                "percent": None if change.percent is None else plain(change.percent),
                "countries": _texts(change.countries),
            }
            for change in new.changes
        ],
    }


def _texts(countries: Mapping[str, Decimal]) -> dict[str, str]:
    return {country: plain(percent) for country, percent in countries.items()}
