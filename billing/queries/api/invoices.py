"""Documents as the API shows them: invoices and credit notes, with their lines and attempts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id
from billing.queries.charged_back import CHARGED_BACK
from billing.queries.operations.finding import place_in_series
from billing.queries.operations.paging import Facts, read_all, those_of

_COLUMNS = f"""
i.id, i.number, i.kind, i.status, i.profile_id, i.subscription_id, i.corrects_id, i.collection, i.currency,
i.subtotal_minor, i.discount_minor, i.tax_minor, i.total_minor, i.credit_applied_minor, i.brought_forward_minor,
i.amount_due_minor, i.amount_paid_minor, i.amount_carried_forward_minor, i.amount_refunded_minor,
i.amount_remaining_minor, i.issued_at, i.due_at, i.paid_at, i.period_start, i.period_end, i.next_attempt_at, i.version,
{CHARGED_BACK}
"""
_ONE = f"""
SELECT {_COLUMNS}, i.tax_groups, i.reverse_charge, i.legal_notes, i.buyer_country, i.buyer_kind
FROM billing.invoice i WHERE i.id = :id AND i.seller_id = :seller
"""  # noqa: S608 (our own words)
# The filters are put together, not OR'ed with null: each shape of the question has an index that answers it.
_WHERE = {
    "profile": "i.profile_id = :profile",
    "status": "i.status = :status",
    "number": """i.series_id IN (SELECT s.id FROM billing.series s WHERE s.seller_id = :seller)
        AND i.series_no = CAST(:series_no AS integer) AND i.number = :number""",
    "after": "i.id < :after",
}
_OWNERS = {"profile": "profile_id", "subscription": "subscription_id"}
_LINES = """
SELECT l.position, l.kind, r.code AS price, l.description, l.quantity, l.unit_amount, l.amount_minor, l.discount_minor,
       l.tax_percent, l.tax_inclusive, l.tax_code, l.period_start, l.period_end
FROM billing.invoice_line l LEFT JOIN billing.price r ON r.id = l.price_id
WHERE l.invoice_id = :id AND l.seller_id = :seller ORDER BY l.position
"""
_ATTEMPTS = """
SELECT id, attempt_no, status, amount_minor, decline_code, opened_at, closed_at
FROM billing.payment WHERE invoice_id = :id AND seller_id = :seller ORDER BY attempt_no
"""


def the_invoice(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's documents, in three statements; None where it is none."""
    values = {"seller": seller_id, "id": id_}
    found = read_all(session, _ONE, values)
    if not found:
        return None
    attempts = read_all(session, _ATTEMPTS, values)
    return found[0] | {"lines": read_all(session, _LINES, values), "attempts": attempts}


def documents(session: Session, seller_id: UUID, *, after: str | None, limit: int, kind: str, **wanted: Any) -> Slice:
    """Newest first, by kind, status, profile, subscription, number; lines are left to `the_invoice`.

    Those of `credit_note` are all of the notes' series: cancellations too.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    owner = next((name for name in reversed(_OWNERS) if name in given), None)
    source = "billing.invoice" if owner is None else those_of("invoice", _OWNERS[owner], owner)
    names = [*given, *(["after"] if after is not None else [])]
    where = " AND ".join(["i.seller_id = :seller", *(_WHERE[name] for name in names if name != owner)])
    # One ordered part a kind, for each of which there is an index, so that a page costs the same wherever it is.
    kinds = (kind, "cancellation") if kind == "credit_note" else (kind,)
    parts = [
        f"(SELECT {_COLUMNS} FROM {source} i WHERE i.kind = '{each}' AND {where} ORDER BY i.id DESC LIMIT :limit)"  # noqa: S608
        for each in kinds
    ]
    statement = f"SELECT * FROM ({' UNION ALL '.join(parts)}) d ORDER BY id DESC LIMIT :limit"  # noqa: S608
    values = {"seller": seller_id, "series_no": place_in_series(given.get("number", "")), **given}
    return page_by_id(session, statement, values, after=after, limit=limit)
