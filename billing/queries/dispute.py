"""Reads of disputes: what they forbid, and what they have taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.status import OPEN_DISPUTE, DisputeStatus
from billing.models import Dispute

OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_DISPUTE))


def undisputed(alias: str) -> str:
    """An SQL condition on the invoice `alias`: no open dispute of its customer stops charging."""
    return (
        "NOT EXISTS (SELECT FROM billing.dispute d JOIN billing.seller s ON s.id = d.seller_id "
        f"AND s.dispute_stops_charging WHERE d.profile_id = {alias}.profile_id AND d.status IN ({OPEN}))"
    )


_UNDISPUTED = text(
    f"SELECT asked.profile_id FROM unnest(CAST(:ids AS uuid[])) AS asked(profile_id) WHERE {undisputed('asked')}"  # noqa: S608 (our own words)
)


def undisputed_of(session: Session, profiles: Collection[UUID]) -> set[UUID]:
    """Those of the customers whose charging no open dispute stops."""
    return set(session.execute(_UNDISPUTED, {"ids": list(profiles)}).scalars())


_STANDING = text(
    f"""
    WITH RECURSIVE chain AS (
        SELECT id, corrects_id FROM billing.invoice WHERE id = :invoice
        UNION ALL SELECT o.id, o.corrects_id FROM billing.invoice o JOIN chain n ON o.id = n.corrects_id
    )
    SELECT coalesce(bool_or(d.status IN ({OPEN}) AND NOT d.refundable), false) AS forbidden,
           coalesce(bool_or(d.status IN ({OPEN}) AND d.withdrawn_minor > d.reinstated_minor), false) AS withheld,
           coalesce(sum(d.reopened_minor), 0) AS lost, coalesce(sum(d.repaid_minor), 0) AS repaid
    FROM chain JOIN billing.dispute d ON d.invoice_id = chain.id
    """  # noqa: S608 (our own words)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How disputes stand to an invoice's money. `forbidden`: no refunds of it just now.

    `withheld`: an open one has taken some of it, whether or not the provider would still refund the rest.
    `lost_minor` have lost ones taken; `repaid_minor` of that has the customer paid another way since.
    """

    forbidden: bool
    withheld: bool
    lost_minor: int
    repaid_minor: int

    @property
    def gone_minor(self) -> int:
        """What the customer has back."""
        return self.lost_minor - self.repaid_minor


def disputed(session: Session, invoice_id: UUID) -> Standing:
    """Of the invoice's disputes. Those of the documents that it replaces count: their money is its own."""
    row = session.execute(_STANDING, {"invoice": invoice_id}).one()
    return Standing(bool(row.forbidden), bool(row.withheld), int(row.lost), int(row.repaid))


_OF_CHARGE = text(
    """
    SELECT d.status, d.refundable FROM billing.invoice i JOIN billing.dispute d ON d.invoice_id = i.id
    WHERE i.profile_id = :profile AND d.provider_account_id = :account AND d.charge_ref = :charge
    """
)


@dataclass(frozen=True, slots=True)
class Disputed:
    """How disputes stand to one charge. `open`: one is; `lost`: one was; `forbidden`: nothing of it can be refunded."""

    open: bool
    lost: bool
    forbidden: bool


def disputes_of(session: Session, *, profile_id: UUID, account_id: UUID, charge_ref: str) -> Disputed:
    """Of one charge of the customer's."""
    values = {"profile": profile_id, "account": account_id, "charge": charge_ref}
    found = session.execute(_OF_CHARGE, values).all()
    running = [row for row in found if row.status in OPEN_DISPUTE]
    lost = any(row.status == DisputeStatus.LOST for row in found)
    return Disputed(open=bool(running), lost=lost, forbidden=lost or any(not row.refundable for row in running))


_HELD = text(
    f"""
    SELECT (SELECT coalesce(sum(p.amount_minor), 0)
            FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
            WHERE e.invoice_id = :invoice AND e.charge_ref = :charge AND e.kind LIKE 'dispute%'
              AND p.account = 'disputes' AND p.currency = :currency)
         - (SELECT coalesce(sum(CASE WHEN d.decision IN ('write_off', 'credit_note') THEN -d.reinstated_minor
                                     ELSE d.withdrawn_minor - d.reinstated_minor END), 0)
            FROM billing.dispute d
            WHERE d.invoice_id = :invoice AND d.charge_ref = :charge AND d.id <> :id
              AND (d.status IN ({OPEN})
                   OR d.status = 'won' AND (d.reinstated_minor = 0 OR d.decision IN ('write_off', 'credit_note'))))
    """  # noqa: S608 (our own words)
)


def held_minor(session: Session, dispute: Dispute) -> int:
    """What the account of disputes holds for this one, in the currency of our balance, by the books.

    Without what other disputes of the same charge leave there: those that are open, wait for their money, or were won
    after a decision.
    """
    values = {"invoice": dispute.invoice_id, "charge": dispute.charge_ref, "id": dispute.id}
    return int(session.execute(_HELD, values | {"currency": dispute.moved_currency}).scalar_one())


_REGAINED = text(
    """
    SELECT coalesce(sum(p.amount_minor), 0)
    FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
    WHERE e.invoice_id = :invoice AND e.charge_ref = :charge AND e.kind = 'dispute_regained'
      AND p.account = 'disputes' AND p.currency = :currency
      AND NOT EXISTS (SELECT FROM billing.dispute o
                      WHERE o.invoice_id = :invoice AND o.charge_ref = :charge AND o.id <> :id)
    """
)


def regained_minor(session: Session, dispute: Dispute) -> int:
    """What of the dispute's losses was regained, by the books, in the currency of our balance.

    0 where its charge has another dispute: entries don't say of which they are.
    """
    values = {"invoice": dispute.invoice_id, "charge": dispute.charge_ref, "id": dispute.id}
    return int(session.execute(_REGAINED, values | {"currency": dispute.moved_currency}).scalar_one())


def lock_losses(session: Session, invoice_id: UUID) -> list[Dispute]:
    """The invoice's lost disputes that money could still pay, oldest first, locked until the transaction ends."""
    query = select(Dispute).where(Dispute.invoice_id == invoice_id, Dispute.reopened_minor > Dispute.repaid_minor)
    rows = session.scalars(query.order_by(Dispute.id).with_for_update().execution_options(populate_existing=True))
    return [row for row in rows if row.owed_minor]


def lock_dispute(session: Session, dispute_id: UUID) -> Dispute:
    """The row, locked until the transaction ends."""
    return session.get_one(Dispute, dispute_id, with_for_update=True, populate_existing=True)
