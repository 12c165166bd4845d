"""Reads of disputes: what they forbid, and what they have taken."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.status import OPEN_DISPUTE
from billing.models import Dispute

OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_DISPUTE))


def undisputed(alias: str) -> str:
    """An SQL condition on the invoice `alias`: no open dispute of its customer stops charging."""
    return (
        "NOT EXISTS (SELECT FROM billing.dispute d JOIN billing.seller s ON s.id = d.seller_id "
        f"AND s.dispute_stops_charging WHERE d.profile_id = {alias}.profile_id AND d.status IN ({OPEN}))"
    )


_STANDING = text(
    f"""
    WITH RECURSIVE chain AS (
        SELECT id, corrects_id FROM billing.invoice WHERE id = :invoice
        UNION ALL SELECT o.id, o.corrects_id FROM billing.invoice o JOIN chain n ON o.id = n.corrects_id
    )
    SELECT coalesce(bool_or(d.status IN ({OPEN}) AND NOT d.refundable), false), coalesce(sum(d.reopened_minor), 0)
    FROM chain JOIN billing.dispute d ON d.invoice_id = chain.id
    """  # noqa: S608 (our own words)
)


def disputed(session: Session, invoice_id: UUID) -> tuple[bool, int]:
    """Whether a dispute forbids refunds of this invoice just now, and how much of its money lost ones have taken.

    Those of the documents that it replaces count: their money is its own.
    """
    row = session.execute(_STANDING, {"invoice": invoice_id}).one()
    return bool(row[0]), int(row[1])


def lock_dispute(session: Session, dispute_id: UUID) -> Dispute:
    """The row, locked until the transaction ends."""
    return session.get_one(Dispute, dispute_id, with_for_update=True, populate_existing=True)
