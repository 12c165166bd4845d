"""Disputes and attempts as the API shows them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id
from billing.queries.operations.paging import Facts, read_all, those_of
from billing.rules.held import waits_for

_DISPUTE = """
SELECT d.id, d.dispute_ref, d.status, d.invoice_id, d.payment_id, d.profile_id, d.amount_minor, d.currency, d.reason,
       d.opened_at, d.due_by, d.closed_at, d.withdrawn_minor, d.reinstated_minor, d.moved_currency, d.reopened_minor,
       d.repaid_minor, d.given_up_minor, d.decision, d.decided_at, d.version
FROM billing.dispute d
"""
_WHERE = {
    "status": "d.status = :status",
    "invoice_id": "d.invoice_id = :invoice_id",
    "after": "d.id < :after",
}
_PAYMENT = """
SELECT p.id, p.invoice_id, p.profile_id, p.attempt_no, p.kind, p.status, p.amount_minor, p.currency, a.provider,
       a.code AS provider_account, m.brand, m.last4, m.wallet, p.decline_code, p.reason, p.opened_at,
       p.first_sent_at, p.closed_at, p.next_check_at, p.checks, p.version
FROM {source} p
JOIN billing.provider_account a ON a.id = p.provider_account_id
JOIN billing.payment_method m ON m.id = p.payment_method_id AND m.seller_id = p.seller_id
"""
_PAYMENT_WHERE = {
    "profile_id": "p.profile_id = :profile_id",
    "status": "p.status = :status",
    "invoice_id": "p.invoice_id = :invoice_id",
    "after": "p.id < :after",
}


# An account has one profile of a seller's.
_OF_ACCOUNT = """(SELECT * FROM billing.payment o WHERE o.profile_id = (
    SELECT f.id FROM billing.profile f WHERE f.seller_id = :seller AND f.account_id = :account_id) OFFSET 0)"""
_SOURCES = {"account_id": _OF_ACCOUNT, "profile_id": those_of("payment", "profile_id", "profile_id")}


def the_dispute(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_DISPUTE} WHERE d.id = :id AND d.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def disputes(session: Session, seller_id: UUID, *, after: str | None, limit: int, **wanted: object) -> Slice:
    """A page of them, newest first, by status and invoice."""
    given = {name: value for name, value in wanted.items() if value is not None}
    names = [*given, *(["after"] if after is not None else [])]
    where = " AND ".join(["d.seller_id = :seller", *(_WHERE[name] for name in names)])
    statement = f"{_DISPUTE} WHERE {where} ORDER BY d.id DESC LIMIT :limit"
    return page_by_id(session, statement, {"seller": seller_id, **given}, after=after, limit=limit)


def payments(session: Session, seller_id: UUID, *, after: str | None, limit: int, **wanted: object) -> Slice:
    """A page of attempts, newest first, by status, invoice, profile, account."""
    given = {name: value for name, value in wanted.items() if value is not None}
    owner = next((name for name in _SOURCES if name in given), None)
    source = "billing.payment" if owner is None else _SOURCES[owner]
    names = [*given, *(["after"] if after is not None else [])]
    where = " AND ".join(["p.seller_id = :seller", *(_PAYMENT_WHERE[name] for name in names if name != owner)])
    statement = f"{_PAYMENT.format(source=source)} WHERE {where} ORDER BY p.id DESC LIMIT :limit"
    page = page_by_id(session, statement, {"seller": seller_id, **given}, after=after, limit=limit)
    return replace(page, rows=[_with_wait(row) for row in page.rows])


def the_payment(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One attempt of this seller's; None where it is none."""
    statement = f"{_PAYMENT.format(source='billing.payment')} WHERE p.id = :id AND p.seller_id = :seller"
    return next(map(_with_wait, read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def _with_wait(row: Facts) -> Facts:
    return {**row, "waits_for": waits_for(row["status"], row["reason"])}
