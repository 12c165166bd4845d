"""Change a seller: what its later documents say, and how it catches up and collects."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.commands.expected_version import require_version
from billing.commands.seller.columns import policy_columns
from billing.commands.series.begin import FIELDS, begin_series
from billing.db.base import Json
from billing.kernel.errors import Fault, Refused
from billing.models import Seller
from billing.validators.seller import SellerChange, check_seller_change


def change_seller(
    session: Session,
    *,
    seller_id: UUID,
    change: SellerChange,
    actor: str,
    reason: str,
    now: datetime,
    expected_version: int | None = None,
) -> Seller:
    """Write the new state. Issued documents keep what they said. Changing nothing writes nothing.

    Raises `Refused`: the faults of `check_seller_change`, `seller_not_found`, `prefix_taken`; `Stale`.
    """
    check_seller_change(change)
    seller = session.get(Seller, seller_id, with_for_update={"key_share": True}, populate_existing=True)
    if seller is None:
        raise Refused(Fault("seller", "seller_not_found", "give the id of a seller"))
    require_version(seller, expected_version)
    wanted: Json = {
        "legal_name": change.legal_name,
        "timezone": change.timezone,
        "address": change.address.within(seller.country),
        "tax_id": change.tax_id,
        "payment_instructions": change.payment_instructions,
        "document_footer": change.document_footer,
        "number_prefix": change.number_prefix,
        "credit_note_prefix": change.credit_note_prefix,
        **policy_columns(change.policy),
    }
    before = {name: getattr(seller, name) for name, value in wanted.items() if getattr(seller, name) != value}
    if not before:
        return seller
    for name in before:
        setattr(seller, name, wanted[name])
    session.flush()
    for kind, name in FIELDS.items():
        if name in before:
            begin_series(session, seller=seller, kind=kind, now=now)
    record(
        session,
        actor=actor,
        action="seller.change",
        reason=reason,
        subject_type="seller",
        subject_id=seller.id,
        seller_id=seller.id,
        now=now,
        before=before,
        after={name: wanted[name] for name in before},
    )
    return seller
