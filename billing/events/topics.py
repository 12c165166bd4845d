"""Topics: every kind of domain event, `<noun>.<what happened>`. A name, once published, keeps its meaning."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """What happened, to which noun."""

    PROFILE_CREATED = "profile.created"
    PROFILE_UPDATED = "profile.updated"
    PAYMENT_METHOD_ADDED = "payment_method.added"
    PAYMENT_METHOD_UPDATED = "payment_method.updated"
    PAYMENT_METHOD_REMOVED = "payment_method.removed"
    PRODUCT_CREATED = "product.created"
    PRICE_CREATED = "price.created"
    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_UPDATED = "subscription.updated"
    SUBSCRIPTION_ACTIVE = "subscription.active"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_UNPAID = "subscription.unpaid"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_EXPIRED = "subscription.expired"
    SUBSCRIPTION_RENEWAL_UPCOMING = "subscription.renewal_upcoming"
    INVOICE_DRAFTED = "invoice.drafted"
    INVOICE_ISSUED = "invoice.issued"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    INVOICE_RETRY_POSTPONED = "invoice.retry_postponed"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed"
    INVOICE_ACTION_NEEDED = "invoice.action_needed"
    INVOICE_RECOVERED = "invoice.recovered"
    INVOICE_COLLECTION_ENDED = "invoice.collection_ended"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_UNCOLLECTIBLE = "invoice.uncollectible"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_DECLINED = "payment.declined"
    PAYMENT_UNKNOWN = "payment.unknown"
    PAYMENT_UNAPPLIED = "payment.unapplied"
    REFUND_UPDATED = "refund.updated"
    CREDIT_GRANTED = "credit.granted"
    WORK_ITEM_OPENED = "work_item.opened"
    WORK_ITEM_CLOSED = "work_item.closed"
