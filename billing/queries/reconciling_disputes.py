"""Reconciling disputes: those of a window beside our rows, and those that are to be looked up first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.providers.port import DisputeFacts
from billing.queries.dispute import OPEN

_LISTED = """
FROM listed_dispute l
LEFT JOIN billing.dispute d ON d.provider_account_id = :account AND d.dispute_ref = l.dispute_ref
LEFT JOIN billing.payment p ON p.provider_account_id = :account AND p.charge_ref = l.charge_ref
LEFT JOIN billing.unapplied_payment u ON u.provider_account_id = :account AND u.charge_ref = l.charge_ref
JOIN billing.invoice i ON i.id = coalesce(d.invoice_id, p.invoice_id, u.invoice_id)
WHERE (d.id IS NULL OR (d.status, d.amount_minor) <> (l.status, l.amount_minor)
"""

# A list shows no money: what a chargeback must have taken, or its end given back, is looked up where we don't have it,
# and so is what the balance shows of one, however long ago that was opened or ended.
_TO_READ = f"""
SELECT l.dispute_ref {_LISTED}
       OR (d.withdrawn_minor = 0 AND l.status NOT LIKE 'warning%')
       OR (d.reinstated_minor = 0 AND l.status = 'won'))
UNION
SELECT d.dispute_ref FROM listed_movement v
JOIN billing.dispute d ON d.provider_account_id = :account
  AND (d.dispute_ref = v.source_ref OR (v.type IN ('paypal_t1201', 'paypal_t1202') AND d.charge_ref = v.source_ref))
WHERE v.amount_minor > 0 AND d.reinstated_minor = 0 OR v.amount_minor < 0 AND d.withdrawn_minor = 0
UNION
SELECT dispute_ref FROM billing.dispute
WHERE provider_account_id = :account AND status IN ({OPEN}) AND opened_at < :opened_before
ORDER BY dispute_ref
"""  # noqa: S608 (our own words)

DISPUTES = f"""
SELECT CASE WHEN d.id IS NULL THEN 'dispute_without_record' ELSE 'dispute_differs' END, l.dispute_ref, NULL,
       i.seller_id, i.profile_id, i.id, l.amount_minor, l.currency,
       CASE WHEN d.id IS NULL
            THEN format('the provider has dispute %s of {{%s %s}} of charge %s (%s); we have none', l.dispute_ref,
                        l.amount_minor, l.currency, l.charge_ref, l.status)
            ELSE format('the provider says %s {{%s %s}}, we say %s {{%s %s}}', l.status, l.amount_minor, l.currency,
                        d.status, d.amount_minor, d.currency) END,
       false
{_LISTED})
UNION ALL
SELECT 'dispute_without_record', l.dispute_ref, NULL, NULL, NULL, NULL, l.amount_minor, l.currency,
       format('the provider has dispute %s of {{%s %s}} (%s), and does not say of which payment', l.dispute_ref,
              l.amount_minor, l.currency, l.status), false
FROM listed_dispute l
WHERE l.charge_ref = '' AND NOT EXISTS (SELECT FROM billing.dispute d WHERE d.provider_account_id = :account
                                        AND d.dispute_ref = l.dispute_ref)
"""  # noqa: S608 (our own words)

DISPUTES_NOT_LISTED = """
SELECT 'dispute_missing', d.dispute_ref, NULL, d.seller_id, d.profile_id, d.invoice_id, d.amount_minor, d.currency,
       format('our dispute %s is %s of {%s %s}; the provider does not show it', d.id, d.dispute_ref, d.amount_minor,
              d.currency), false
FROM billing.dispute d
LEFT JOIN listed_dispute l ON l.dispute_ref = d.dispute_ref
WHERE d.provider_account_id = :account AND d.opened_at >= :from_at AND d.opened_at < :to_at AND l.dispute_ref IS NULL
"""

# A loss stays one, whatever an appeal asks.
_SHOWN = """
UPDATE pg_temp.listed_dispute l
SET amount_minor = :amount,
    status = CASE WHEN :appeal AND EXISTS (
        SELECT FROM billing.dispute d
        WHERE d.provider_account_id = :account AND d.dispute_ref = l.dispute_ref AND d.status = 'lost')
        THEN 'lost' ELSE :status END
WHERE l.dispute_ref = :ref
"""


def disputes_to_read(session: Session, *, account_id: UUID, opened_before: datetime | None) -> list[str]:
    """What the loaded window shows and we don't have so; with `opened_before`, our open ones from before it too."""
    values = {"account": account_id, "opened_before": opened_before}
    return list(session.execute(text(_TO_READ), values).scalars())


def show_dispute(session: Session, facts: DisputeFacts, *, account_id: UUID) -> None:
    """What was read of it later than the list counts."""
    values = {"ref": facts.dispute_ref, "status": facts.status, "amount": facts.amount_minor, "appeal": facts.appeal}
    session.execute(text(_SHOWN), {**values, "account": account_id})
