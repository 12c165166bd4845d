"""Whom a finding of the audit concerns: a customer, or at least a seller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.reconciling import as_uuid


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a finding concerns."""

    seller_id: UUID
    profile_id: UUID | None


Thing = tuple[str, str]
"""Type and id of what a finding is about."""

_BY_ID = {
    "seller": "SELECT id, id, CAST(NULL AS uuid) FROM billing.seller WHERE id = ANY(CAST(:ids AS uuid[]))",
    "series": "SELECT id, seller_id, CAST(NULL AS uuid) FROM billing.series WHERE id = ANY(CAST(:ids AS uuid[]))",
    "profile": "SELECT id, seller_id, id FROM billing.profile WHERE id = ANY(CAST(:ids AS uuid[]))",
    "subscription": "SELECT id, seller_id, profile_id FROM billing.subscription WHERE id = ANY(CAST(:ids AS uuid[]))",
    "billing_period": """SELECT b.id, s.seller_id, s.profile_id FROM billing.billing_period b
        JOIN billing.subscription s ON s.id = b.subscription_id WHERE b.id = ANY(CAST(:ids AS uuid[]))""",
    "invoice": "SELECT id, seller_id, profile_id FROM billing.invoice WHERE id = ANY(CAST(:ids AS uuid[]))",
    "invoice_line": """SELECT l.id, i.seller_id, i.profile_id FROM billing.invoice_line l
        JOIN billing.invoice i ON i.id = l.invoice_id WHERE l.id = ANY(CAST(:ids AS uuid[]))""",
    "payment": "SELECT id, seller_id, profile_id FROM billing.payment WHERE id = ANY(CAST(:ids AS uuid[]))",
    "refund": "SELECT id, seller_id, profile_id FROM billing.refund WHERE id = ANY(CAST(:ids AS uuid[]))",
    "dispute": "SELECT id, seller_id, profile_id FROM billing.dispute WHERE id = ANY(CAST(:ids AS uuid[]))",
    "ledger_entry": "SELECT id, seller_id, profile_id FROM billing.ledger_entry WHERE id = ANY(CAST(:ids AS uuid[]))",
}
"""By the subject type of a finding, where its id is one of ours."""

# By the provider's name of it, which is unique within an account. What is booked apart may be no customer's.
_CHARGES = """
SELECT charge_ref, seller_id, profile_id FROM billing.payment
WHERE charge_ref = ANY(CAST(:ids AS text[])) AND provider_account_id IN (SELECT id FROM billing.provider_account)
UNION ALL
SELECT u.charge_ref, u.seller_id, i.profile_id FROM billing.unapplied_payment u
LEFT JOIN billing.invoice i ON i.id = u.invoice_id
WHERE u.charge_ref = ANY(CAST(:ids AS text[])) AND u.provider_account_id IN (SELECT id FROM billing.provider_account)
"""


def owners(session: Session, things: Iterable[Thing]) -> dict[Thing, Owner]:
    """By type and id, whose it is; what is no seller's is absent. One statement a type.

    A refund or a dispute that the provider alone has bears its name there, and is absent too.
    """
    asked: dict[str, set[str]] = defaultdict(set)
    for type_, id_ in things:
        if type_ == "charge" or (type_ in _BY_ID and as_uuid(id_) is not None):
            asked[type_].add(id_)
    found: dict[Thing, Owner] = {}
    for type_, ids in asked.items():
        for id_, seller_id, profile_id in session.execute(text(_BY_ID.get(type_, _CHARGES)), {"ids": sorted(ids)}):
            # An attempt says more than what is booked apart of it.
            found.setdefault((type_, str(id_)), Owner(seller_id, profile_id))
    return found
