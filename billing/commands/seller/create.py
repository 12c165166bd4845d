"""Create a seller with the two series of its documents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.commands.seller.columns import policy_columns
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import Seller, Series
from billing.validators.seller import NewSeller, check_new_seller


def create_seller(session: Session, *, new: NewSeller, actor: str, reason: str, now: datetime) -> Seller:
    """Write the seller, its series `<CODE>-` (from `next_number`) and `<CODE>-CN-`, and who did so.

    Raises `Refused`: the faults of `check_new_seller`, `seller_code_taken`.
    """
    check_new_seller(new)
    row = insert(Seller).values(
        id=new_id(),
        code=new.code,
        legal_name=new.legal_name,
        country=new.country,
        currency=new.currency,
        timezone=new.timezone,
        address=new.address.within(new.country),
        tax_id=new.tax_id,
        payment_instructions=new.payment_instructions,
        document_footer=new.document_footer,
        version=1,
        **policy_columns(new.policy),
    )
    seller = session.scalars(row.on_conflict_do_nothing(index_elements=[Seller.code]).returning(Seller)).one_or_none()
    if seller is None:
        raise Refused(Fault("code", "seller_code_taken", "choose another code, or change the seller that has it"))
    _add_series(session, seller, "invoice", f"{new.code}-", new.next_number)
    _add_series(session, seller, "credit_note", f"{new.code}-CN-", 1)
    record(
        session,
        actor=actor,
        action="seller.create",
        reason=reason,
        subject_type="seller",
        subject_id=seller.id,
        seller_id=seller.id,
        now=now,
        after={"code": new.code, "next_number": new.next_number},
    )
    return seller


def _add_series(session: Session, seller: Seller, kind: str, prefix: str, next_no: int) -> None:
    session.add(Series(id=new_id(), seller_id=seller.id, kind=kind, prefix=prefix, next_no=next_no))
