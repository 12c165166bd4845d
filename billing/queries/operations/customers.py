"""Profiles and subscriptions as operators see them: ids, states and amounts; the personal part stays sealed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.operations.invoices import list_invoices
from billing.queries.operations.paging import Facts, read_all

_SHOWN = 20
"""The newest documents or periods that are shown of one thing."""

_PROFILE = """
SELECT p.id, s.code AS seller, p.account_id, p.anonymous_id, p.country, p.timezone, p.buyer_kind, p.has_tax_id,
       p.hold_id, p.created_at, p.erased_at, p.version
FROM billing.profile p JOIN billing.seller s ON s.id = p.seller_id WHERE p.id = :id
"""

_METHODS = """
SELECT m.id, m.kind, m.status, m.is_default, m.brand, m.last4, m.exp_month, m.exp_year, m.issuing_country, m.wallet,
       a.provider, a.code AS provider_account, c.customer_ref, m.method_ref, m.consent_at, m.consent_text_version
FROM billing.payment_method m
JOIN billing.provider_account a ON a.id = m.provider_account_id
LEFT JOIN billing.provider_customer c ON c.profile_id = m.profile_id AND c.provider_account_id = a.id
  AND c.deleted_at IS NULL
WHERE m.profile_id = :id ORDER BY m.id
"""

_SUBSCRIPTIONS = """
SELECT id, code, status, currency, interval_unit, interval_count, current_period_start, current_period_end, next_due_at,
       cancel_at, ended_at, hold_id
FROM billing.subscription WHERE profile_id = :id ORDER BY code
"""

_OWED = """
SELECT currency, sum(amount_remaining_minor)::bigint AS amount_minor, count(*) AS invoices
FROM billing.invoice WHERE profile_id = :id AND status = 'open' GROUP BY currency ORDER BY currency
"""

_CHARGED_BACK = """
SELECT i.currency, sum(d.reopened_minor - d.repaid_minor)::bigint AS amount_minor
FROM billing.invoice i JOIN billing.dispute d ON d.invoice_id = i.id
WHERE i.profile_id = :id AND d.decision IS NULL AND d.reopened_minor > d.repaid_minor
GROUP BY i.currency ORDER BY i.currency
"""

_CREDIT = """
SELECT currency, amount_minor FROM billing.credit_balance
WHERE profile_id = :id AND amount_minor > 0 ORDER BY currency
"""

_CARRIED_FORWARD = """
SELECT currency, carried_forward_minor AS amount_minor FROM billing.credit_balance
WHERE profile_id = :id AND carried_forward_minor > 0 ORDER BY currency
"""

_SUBSCRIPTION = """
SELECT u.id, u.code, s.code AS seller, p.account_id, u.profile_id, u.status, u.currency, u.interval_unit,
       u.interval_count, u.timezone, u.anchor_at, u.anchor_no, u.next_period_no, u.started_at, u.paid_through,
       u.current_period_start, u.current_period_end, u.next_due_at, u.cancel_at, u.ended_at, u.collection,
       u.days_until_due, u.hold_id, u.version
FROM billing.subscription u
JOIN billing.seller s ON s.id = u.seller_id
JOIN billing.profile p ON p.id = u.profile_id
WHERE u.id = :id
"""

_ITEMS = """
SELECT i.position, r.code AS price, d.name AS product, i.quantity, r.unit_amount, r.currency
FROM billing.subscription_item i
JOIN billing.price r ON r.id = i.price_id
JOIN billing.product d ON d.id = r.product_id
WHERE i.subscription_id = :id ORDER BY i.position
"""

_PERIODS = f"""
SELECT b.anchor_no, b.period_no, b.starts_at, b.ends_at, b.disposition, i.id AS invoice_id, i.number AS invoice,
       i.status AS invoice_status, i.total_minor, i.currency
FROM billing.billing_period b LEFT JOIN billing.invoice i ON i.id = b.invoice_id
WHERE b.subscription_id = :id ORDER BY b.anchor_no DESC, b.period_no DESC LIMIT {_SHOWN}
"""  # noqa: S608 (our own words)


def show_profile(session: Session, profile_id: UUID) -> Facts:
    """One customer: methods by display details, subscriptions, what is owed, the newest documents.

    `charged_back`: owed beside what is open, because a dispute was lost and nobody has decided on it yet.
    `carried_forward`: too little to be charged, it is due with the next invoice.
    """
    values = {"id": profile_id}
    [profile] = read_all(session, _PROFILE, values)
    return {
        **profile,
        "payment_methods": read_all(session, _METHODS, values),
        "subscriptions": read_all(session, _SUBSCRIPTIONS, values),
        "owed": read_all(session, _OWED, values),
        "charged_back": read_all(session, _CHARGED_BACK, values),
        "credit": read_all(session, _CREDIT, values),
        "carried_forward": read_all(session, _CARRIED_FORWARD, values),
        "invoices": list_invoices(session, profile=profile_id, limit=_SHOWN).rows,
    }


_PAID_AHEAD = text(
    """
    SELECT EXISTS (
        SELECT FROM billing.invoice i
        JOIN billing.payment p ON p.invoice_id = i.id AND p.status = 'succeeded'
        JOIN billing.invoice_line l ON l.invoice_id = i.id AND l.period_end > :now
        WHERE i.subscription_id = :id AND i.kind = 'invoice' AND i.amount_paid_minor > 0
    )
    """
)


def show_subscription(session: Session, subscription_id: UUID) -> Facts:
    """One subscription: its prices, and its newest periods with the documents that billed them."""
    values = {"id": subscription_id}
    [subscription] = read_all(session, _SUBSCRIPTION, values)
    return {
        **subscription,
        "items": read_all(session, _ITEMS, values),
        "periods": read_all(session, _PERIODS, values),
    }


def is_paid_ahead(session: Session, subscription_id: UUID, *, now: datetime) -> bool:
    """Whether something was paid through the provider for what lies after `now`: a cancel can send part of it back."""
    return bool(session.scalar(_PAID_AHEAD, {"id": subscription_id, "now": now}))
