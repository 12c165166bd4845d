"""Create a coupon. It never changes: another discount is another coupon."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import Coupon
from billing.validators.coupon import NewCoupon, check_new_coupon


def create_coupon(session: Session, *, seller_id: UUID, new: NewCoupon) -> Coupon:
    """Write one coupon. Raises `Refused`: the faults of `check_new_coupon`, `coupon_code_taken`."""
    check_new_coupon(new)
    row = {
        "id": new_id(),
        "seller_id": seller_id,
        "code": new.code,
        "percent": new.percent,
        "amount_minor": new.amount_minor,
        "currency": new.currency,
        "duration": new.duration,
        "periods": new.periods,
    }
    written = insert_rows(session, Coupon, [row], unless_taken=("seller_id", "code"), returning=("id",))
    if not written:
        raise Refused(Fault("code", "coupon_code_taken", f"{new.code} is taken; coupons don't change"))
    return session.get_one(Coupon, written[0].id)
