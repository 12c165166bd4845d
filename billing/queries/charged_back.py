"""What lost disputes have put back on an invoice: owed again until it is paid another way, or a person decides."""

from __future__ import annotations

CHARGED_BACK = """(SELECT coalesce(sum(d.reopened_minor - d.repaid_minor), 0)::bigint FROM billing.dispute d
        WHERE d.invoice_id = i.id AND d.seller_id = i.seller_id AND d.decision IS NULL) AS amount_charged_back_minor"""
"""A column beside an invoice `i`, in the minor units of its currency; 0 of nearly all. By an index of disputes."""
