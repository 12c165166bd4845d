"""Kinds of work items: what can need a person or another try. Each has a page in `docs/operate/`."""

from __future__ import annotations

from enum import StrEnum


class WorkKind(StrEnum):
    """What happened, in billing words."""

    SUBSCRIPTION_NOT_BILLED = "subscription_not_billed"
    INVOICE_NOT_CHARGED = "invoice_not_charged"
    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_UNAPPLIED = "payment_unapplied"
    PROVIDER_REFUSES_ACCOUNT = "provider_refuses_account"
    PAYMENT_METHOD_NOT_DETACHED = "payment_method_not_detached"
    EVENT_NOT_HANDLED = "event_not_handled"
    NOTICE_NOT_SENT = "notice_not_sent"
    MAIL_SERVER_REFUSES = "mail_server_refuses"
    COLLECTING_STOPPED = "collecting_stopped"
    ISSUING_STOPPED = "issuing_stopped"
    DATABASE_RESTORED = "database_restored"
    DAY_GUARDED = "day_guarded"
    INVOICE_GUARDED = "invoice_guarded"
    INVOICE_INCOMPLETE = "invoice_incomplete"
    E_INVOICE_REQUIRED = "e_invoice_required"
    E_INVOICE_NOT_SENT = "e_invoice_not_sent"
    CUSTOMER_QUARANTINED = "customer_quarantined"
    REFUND_FAILED = "refund_failed"
    REFUND_NOT_SENT = "refund_not_sent"
    DISPUTE_NEEDS_RESPONSE = "dispute_needs_response"
    DISPUTE_LOST = "dispute_lost"
    DISPUTE_WON_LATE = "dispute_won_late"
    EARLY_FRAUD_WARNING = "early_fraud_warning"
    INVARIANT_BROKEN = "invariant_broken"
    WITNESS_DISAGREES = "witness_disagrees"
    TASK_FAILED = "task_failed"
    MESSAGE_UNROUTABLE = "message_unroutable"
    MESSAGE_UNREADABLE = "message_unreadable"
    CHARGE_WITHOUT_ATTEMPT = "charge_without_attempt"
    CHARGE_OF_LOST_INVOICE = "charge_of_lost_invoice"
    CHARGE_UNEXPLAINED = "charge_unexplained"
    CHARGE_DIFFERS = "charge_differs"
    ATTEMPT_WITHOUT_CHARGE = "attempt_without_charge"
    FEE_MISSING = "fee_missing"
    MOVEMENT_DIFFERS = "movement_differs"
    REFUND_WITHOUT_RECORD = "refund_without_record"
    REFUND_DIFFERS = "refund_differs"
    REFUND_MISSING = "refund_missing"
    DISPUTE_WITHOUT_RECORD = "dispute_without_record"
    DISPUTE_DIFFERS = "dispute_differs"
    DISPUTE_MISSING = "dispute_missing"
    ENDPOINT_OFF = "endpoint_off"
    DELIVERIES_DEAD = "deliveries_dead"


def page_of(kind: str) -> str:
    """The page that says what an item of this kind means, what is safe, and which commands there are."""
    return f"docs/operate/{kind.replace('_', '-')}.md"
