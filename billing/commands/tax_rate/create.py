"""Create a tax rate, and change none that is there."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.tax_rate.put import insert_rate
from billing.kernel.errors import Fault, Refused
from billing.validators.tax_rate import NewTaxRate, check_new_tax_rate


def create_tax_rate(session: Session, *, seller_id: UUID, new: NewTaxRate) -> None:
    """Write one rate. Raises `Refused`: the faults of `check_new_tax_rate`, `tax_rate_taken`."""
    check_new_tax_rate(new)
    if not insert_rate(session, seller_id=seller_id, new=new):
        raise Refused(Fault("name", "tax_rate_taken", f"the rate {new.name} is there; change it there"))
