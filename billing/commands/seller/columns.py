"""How a seller's policy stands in its columns."""

from __future__ import annotations

from typing import Any

from billing.validators.seller import SellerPolicy


def policy_columns(policy: SellerPolicy) -> dict[str, Any]:
    """The policy's columns; delays become whole seconds."""
    return {
        "catch_up": policy.catch_up,
        "catch_up_limit": policy.catch_up_limit,
        "dunning_retry_s": [int(delay.total_seconds()) for delay in policy.dunning_retries],
        "dunning_final": policy.dunning_final,
        "retry_first_h": policy.dunning_hours[0] if policy.dunning_hours else None,
        "retry_end_h": policy.dunning_hours[1] if policy.dunning_hours else None,
        "card_limit": policy.card_limit,
        "proration": policy.proration,
        "oss": policy.oss,
        "draft_review_h": policy.draft_review_h,
        "guard_volume": policy.guard_volume,
        "guard_amount": policy.guard_amount,
        "guard_catch_up": policy.guard_catch_up,
        "upcoming_days": policy.upcoming_days,
        "revenue_recognition": policy.revenue_recognition,
        "complete_documents": policy.complete_documents,
        "e_invoices": policy.e_invoices,
        "mail_documents": policy.mail_documents,
        "dispute_stops_charging": policy.dispute_stops_charging,
        "fall_back": policy.fall_back,
        "method_kinds": list(policy.method_kinds),
        "debit_notice_days": policy.debit_notice_days,
        "creditor_id": policy.creditor_id,
    }
