"""Payouts as operators and finance see them: lists, and one with the movements that it took to the bank."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.books.payout import payout_report
from billing.queries.operations.paging import Facts, Page, read_all, read_page

SHOWN = 200
"""Movements of one that are shown; the command line and the API tell them all."""

_IN_ORDER = (
    "seller", "invoice", "account_id", "type", "amount_minor", "fee_minor", "net_minor", "currency", "occurred_at",
    "source", "movement",
)  # fmt: skip
"""The provider's long ids last: what people look for is in sight."""

_COLUMNS = """
SELECT p.id, p.payout_ref, p.status, p.amount_minor, p.currency, a.provider, a.code AS provider_account, p.opened_at,
       p.arrives_at, p.paid_at, p.failed_at
FROM billing.payout p JOIN billing.provider_account a ON a.id = p.provider_account_id AND p.shares <> '[]'
"""

_LIST = f"""
{_COLUMNS}
WHERE (CAST(:status AS text) IS NULL OR p.status = :status) AND (CAST(:before AS uuid) IS NULL OR p.id < :before)
ORDER BY p.id DESC LIMIT :limit
"""


def list_payouts(session: Session, *, status: str | None = None, before: UUID | None = None, limit: int = 50) -> Page:
    """Payouts, newest first, by `status`; those that are in the books."""
    return read_page(session, _LIST, {"status": status, "before": before}, limit=limit)


def show_payout(session: Session, payout_id: UUID) -> Facts:
    """One payout, its first movements and how many there are, and for each seller what is booked as sent.

    Raises `ValueError` where there is none.
    """
    (facts,) = read_all(session, f"{_COLUMNS} WHERE p.id = :id", {"id": payout_id})
    report = payout_report(session, payout=facts["payout_ref"])
    books = [
        {
            "seller": tie.seller,
            "currency": tie.currency,
            "movements_minor": tie.report_minor,
            "booked_minor": tie.ledger_minor,
            "difference_minor": tie.difference_minor,
        }
        for tie in report.ties
    ]
    movements = [{name: row[name] for name in _IN_ORDER} for row in report.rows[:SHOWN]]
    return facts | {"movements_in_all": len(report.rows), "books": books, "movements": movements}
