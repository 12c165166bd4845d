"""Elsewhere: before an attempt at another provider, what may still move money at the first is ended (DECISIONS 20)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import text

from billing.flows.canceling import cancel_intents, tell_stuck
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused

_log = structlog.get_logger(__name__)

# An open attempt is never overtaken: its intent stays, whatever the customer's default is by now.
_LIVE_ELSEWHERE = text(
    """
    SELECT n.invoice_id, n.intent_ref
    FROM billing.payment_intent n
    JOIN billing.invoice i ON i.id = n.invoice_id AND i.seller_id = n.seller_id
    JOIN billing.payment_method m ON m.profile_id = i.profile_id
      AND CASE WHEN i.falls_back_to IS NULL THEN m.is_default ELSE m.id = i.falls_back_to END
    WHERE n.invoice_id = ANY(:invoices) AND n.status = 'open' AND n.provider_account_id <> m.provider_account_id
      AND NOT EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = n.invoice_id
                      AND p.status IN ('prepared', 'sent', 'unknown', 'processing', 'requires_action'))
    """
)
_NEVER_MADE = text(
    """
    UPDATE billing.payment_intent n
    SET status = 'absent', version = version + 1, updated_at = clock_timestamp()
    WHERE n.invoice_id = ANY(:invoices) AND n.status = 'open' AND n.intent_ref IS NULL
      AND NOT EXISTS (SELECT FROM billing.payment p WHERE p.payment_intent_id = n.id
                      AND p.status IN ('prepared', 'sent', 'unknown', 'processing', 'requires_action'))
    """
)


def leave_elsewhere(parts: Parts, invoices: Sequence[UUID]) -> None:
    """End what these invoices have at other accounts than that of the method which is tried next.

    Where that can't be done now, nothing is: opening an attempt holds back, and the next sweep tries again; a person is
    told where it won't pass. Money that came there meanwhile is left to be settled. Safe to repeat.
    """
    with parts.begin() as session:
        found = session.execute(_LIVE_ELSEWHERE, {"invoices": list(invoices)}).all()
        unmade = [row.invoice_id for row in found if row.intent_ref is None]
        if unmade:
            session.execute(_NEVER_MADE, {"invoices": unmade})
    for row in found:
        if row.intent_ref is None:
            continue
        try:
            cancel_intents(parts, [row.invoice_id])
        except (ProviderUnavailable, ProviderUncertain, ProviderRefused, Refused) as error:
            _log.warning("intent_elsewhere_not_canceled", invoice=str(row.invoice_id), error=type(error).__name__)
            tell_stuck(parts, [row.invoice_id], error)
