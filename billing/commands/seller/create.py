"""Create a seller with the two series of its documents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.commands.seller.columns import policy_columns
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.numbering import pattern_of, prefix_in, year_in
from billing.kernel.period import zone_info
from billing.models import Seller, Series
from billing.validators.seller import NewSeller, check_new_seller


def create_seller(session: Session, *, new: NewSeller, actor: str, reason: str, now: datetime) -> Seller:
    """Write the seller, its two series (that of invoices from `next_number`), and who did so.

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
        number_prefix=new.number_prefix,
        credit_note_prefix=new.credit_note_prefix,
        version=1,
        **policy_columns(new.policy),
    )
    seller = session.scalars(row.on_conflict_do_nothing(index_elements=[Seller.code]).returning(Seller)).one_or_none()
    if seller is None:
        raise Refused(Fault("code", "seller_code_taken", "choose another code, or change the seller that has it"))
    session.add_all(_series(new, seller.id, kind, now) for kind in ("invoice", "credit_note"))
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


def _series(new: NewSeller, seller_id: UUID, kind: str, now: datetime) -> Series:
    pattern = pattern_of(kind, code=new.code, invoices=new.number_prefix, credit_notes=new.credit_note_prefix)
    today = now.astimezone(zone_info(new.timezone)).year
    return Series(
        id=new_id(),
        seller_id=seller_id,
        kind=kind,
        prefix=prefix_in(pattern, today),
        next_no=new.next_number if kind == "invoice" else 1,
        year=year_in(pattern, today),
    )
