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


def _by_id(from_: str, *, seller: str = "t.seller_id", profile: str = "t.profile_id") -> str:
    """What the engine itself is at may be no seller's."""
    ids = "t.id = ANY(CAST(:ids AS uuid[]))"
    return f"SELECT t.id, {seller}, CAST({profile} AS uuid) FROM billing.{from_} WHERE {ids} AND {seller} IS NOT NULL"  # noqa: S608 (our own names)


_OF_INVOICE = "{} t JOIN billing.invoice i ON i.id = t.invoice_id"
_WITH_CUSTOMER = (
    *("subscription", "invoice", "payment", "payment_method", "refund", "dispute", "ledger_entry"),
    *("work_item", "difference"),
)
_WITH_SELLER = ("series", "outbox", "endpoint", "month_close", "line_accrual")

BY_ID = {
    **{name: _by_id(f"{name} t") for name in _WITH_CUSTOMER},
    **{name: _by_id(_OF_INVOICE.format(name), profile="i.profile_id") for name in ("invoice_line", "payment_intent")},
    **{name: _by_id(f"{name} t", profile="NULL") for name in _WITH_SELLER},
    "billing_period": _by_id(
        "billing_period t JOIN billing.subscription s ON s.id = t.subscription_id",
        seller="s.seller_id",
        profile="s.profile_id",
    ),
    "profile": _by_id("profile t", profile="t.id"),
    "seller": _by_id("seller t", seller="t.id", profile="NULL"),
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
        if type_ == "charge" or (type_ in BY_ID and as_uuid(id_) is not None):
            asked[type_].add(id_)
    found: dict[Thing, Owner] = {}
    for type_, ids in asked.items():
        for id_, seller_id, profile_id in session.execute(text(BY_ID.get(type_, _CHARGES)), {"ids": sorted(ids)}):
            # An attempt says more than what is booked apart of it.
            found.setdefault((type_, str(id_)), Owner(seller_id, profile_id))
    return found
