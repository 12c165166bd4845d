"""Differences that reconciliation has noted: which objects they are about, and what of a window is no news."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Difference
from billing.queries.reconciling import Found


def noted(session: Session, account_id: UUID, objects: Sequence[str]) -> set[str]:
    """Which of these objects some difference has been about, resolved or not."""
    statement = text(
        "SELECT object_ref FROM billing.difference WHERE provider_account_id = :account AND object_ref = ANY(:objects)"
    )
    return set(session.execute(statement, {"account": account_id, "objects": list(objects)}).scalars())


_DISCARDED = """
SELECT d.kind, d.object_ref, d.detail FROM billing.difference d
JOIN billing.work_item w ON w.id = d.work_item_id AND w.status = 'discarded'
WHERE d.provider_account_id = :account AND d.resolved_at IS NOT NULL AND d.object_ref = ANY(:objects)
"""


def undiscarded(session: Session, account_id: UUID, batch: Sequence[Found]) -> list[Found]:
    """Those that no person has discarded as they are now, in one statement."""
    values = {"account": account_id, "objects": [found.object_ref for found in batch]}
    discarded = {tuple(row) for row in session.execute(text(_DISCARDED), values)}
    return [found for found in batch if (found.kind, found.object_ref, found.detail) not in discarded]


UNCLAIMED = ("charge_without_attempt", "charge_of_lost_invoice", "charge_unexplained")
"""Kinds that say: no attempt of ours, and no unapplied money, claims the charge."""
_INVOICES_HELD = "SELECT id FROM billing.invoice WHERE id = ANY(:invoices) ORDER BY id FOR SHARE"
_CLAIMED = """
SELECT charge_ref FROM billing.payment WHERE provider_account_id = :account AND charge_ref = ANY(:charges)
UNION ALL
SELECT charge_ref FROM billing.unapplied_payment WHERE provider_account_id = :account AND charge_ref = ANY(:charges)
"""


def unclaimed(session: Session, account_id: UUID, batch: Sequence[Found]) -> list[Found]:
    """The batch without charges that were claimed since they were compared.

    Their invoices are held until the transaction ends, as by whoever claims: that one sees what is noted here.
    """
    meant = [found for found in batch if found.kind in UNCLAIMED]
    if not meant:
        return list(batch)
    session.execute(text(_INVOICES_HELD), {"invoices": [found.invoice_id for found in meant if found.invoice_id]})
    values = {"account": account_id, "charges": [found.object_ref for found in meant]}
    claimed = set(session.execute(text(_CLAIMED), values).scalars())
    return [found for found in batch if found.kind not in UNCLAIMED or found.object_ref not in claimed]


def the_difference(session: Session, difference_id: UUID, *, lock: bool = False) -> Difference:
    """The row; locked, which it is before its work item, until the transaction ends.

    Raises `Refused` (`difference_missing`).
    """
    row = session.get(Difference, difference_id, with_for_update=lock or None, populate_existing=True)
    if row is None:
        mend = "this database has no row of it; reconcile, then look again"
        raise Refused(Fault("difference", "difference_missing", mend))
    return row
