"""A document as it is stored, for `rules.explain`: its lines with their accounts, its sums, what it corrects."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.operations.paging import read_all
from billing.rules.explain import DocumentAccount, LineAccount
from billing.rules.tax import TaxGroup

_DOCUMENT = """
SELECT i.kind, i.status, i.number, i.currency, i.issued_at, i.period_start, i.period_end, i.subtotal_minor,
       i.discount_minor, i.total_minor, i.credit_applied_minor, i.brought_forward_minor, i.amount_due_minor,
       i.tax_groups, c.number AS corrects,
       -COALESCE((SELECT sum(g.amount_minor) FROM billing.ledger_entry e JOIN billing.posting g ON g.entry_id = e.id
                  WHERE e.invoice_id = i.id AND g.account = 'customer_credit'), 0)::bigint AS into_credit_minor
FROM billing.invoice i LEFT JOIN billing.invoice c ON c.id = i.corrects_id
WHERE i.id = :id
"""

_LINES = """
SELECT l.kind, l.description, l.amount_minor, l.discount_minor, l.tax_percent, l.tax_inclusive, l.tax_code,
       l.period_start, l.period_end, l.how, c.number AS credits,
       CASE l.kind WHEN 'usage' THEN (
           SELECT count(*) FROM billing.usage_record u
           WHERE u.subscription_id = i.subscription_id AND u.price_id = l.price_id AND u.late
             AND u.used_at >= l.period_start AND u.used_at < l.period_end) ELSE 0 END AS late_records
FROM billing.invoice_line l
JOIN billing.invoice i ON i.id = l.invoice_id
LEFT JOIN billing.invoice_line o ON o.id = l.credits_line_id
LEFT JOIN billing.invoice c ON c.id = o.invoice_id
WHERE l.invoice_id = :id ORDER BY l.position
"""


def document_account(session: Session, invoice_id: UUID) -> DocumentAccount:
    """One document in two statements; the parties stay sealed."""
    values = {"id": invoice_id}
    row = dict(session.execute(text(_DOCUMENT), values).mappings().one())
    groups = [TaxGroup.of(each) for each in row.pop("tax_groups")]
    lines = [LineAccount(**each) for each in read_all(session, _LINES, values)]
    return DocumentAccount(**row, tax_groups=groups, lines=lines)
