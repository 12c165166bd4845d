"""The notice of a debit whose rows this database has lost: it was told, and is not told again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.clock import format_instant
from billing.kernel.ids import new_id
from billing.kernel.status import NoticeStatus
from billing.models import Notice, Payment
from billing.rules.notice import NoticeKind

REASON = "lost_with_the_database"


def note_lost_notice(session: Session, *, payment: Payment, wall: datetime) -> None:
    """Write that the debit of this revived attempt was announced, as it must have been before it was sent."""
    row = insert(Notice).values(
        id=new_id(),
        seller_id=payment.seller_id,
        profile_id=payment.profile_id,
        kind=NoticeKind.DEBIT_UPCOMING,
        occasion=f"{payment.invoice_id}:{payment.payment_method_id}:lost:{payment.id}",
        invoice_id=payment.invoice_id,
        facts={
            "invoice_id": str(payment.invoice_id),
            "payment_method_id": str(payment.payment_method_id),
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "debit_at": format_instant(payment.opened_at),
        },
        occurred_at=payment.opened_at,
        status=NoticeStatus.DROPPED,
        reason=REASON,
        closed_at=wall,
        version=1,
    )
    session.execute(row.on_conflict_do_nothing())
