"""Handlers: which flow looks after which kind of event. Each re-reads the object; the body is a hint."""

from __future__ import annotations

from collections.abc import Callable

from billing.commands.provider_event.claim import ClaimedEvent
from billing.flows.charge_events import charge, charge_update
from billing.flows.customer_events import customer
from billing.flows.dispute_events import dispute
from billing.flows.fraud_events import fraud_warning
from billing.flows.mandate_events import mandate
from billing.flows.method_events import payment_method
from billing.flows.parts import Parts
from billing.flows.payment_events import payment_intent
from billing.flows.payout_events import payout
from billing.flows.refund_events import charge_refunded, refund
from billing.flows.setup_events import setup_ended, setup_intent
from billing.kernel.status import EventStatus

HANDLERS: dict[str, Callable[[Parts, ClaimedEvent], EventStatus]] = {
    "payment_intent.succeeded": payment_intent,
    "payment_intent.payment_failed": payment_intent,
    "payment_intent.processing": payment_intent,
    "payment_intent.canceled": payment_intent,
    "payment_intent.requires_action": payment_intent,
    "charge.succeeded": charge,
    "charge.failed": charge,
    "charge.pending": charge,
    "charge.updated": charge_update,
    "charge.refunded": charge_refunded,
    "charge.refund.updated": refund,
    "setup_intent.succeeded": setup_intent,
    "setup_intent.canceled": setup_ended,
    "setup_intent.setup_failed": setup_ended,
    "mandate.updated": mandate,
    "customer.deleted": customer,
    "payment_method.attached": payment_method,
    "payment_method.detached": payment_method,
    "payment_method.automatically_updated": payment_method,
    "payment_method.updated": payment_method,
    "refund.created": refund,
    "refund.updated": refund,
    "refund.failed": refund,
    "payout.created": payout,
    "payout.updated": payout,
    "payout.paid": payout,
    "payout.failed": payout,
    "payout.canceled": payout,
    "payout.reconciliation_completed": payout,
    "charge.dispute.created": dispute,
    "charge.dispute.updated": dispute,
    "charge.dispute.closed": dispute,
    "charge.dispute.funds_withdrawn": dispute,
    "charge.dispute.funds_reinstated": dispute,
    "radar.early_fraud_warning.created": fraud_warning,
    "radar.early_fraud_warning.updated": fraud_warning,
}
"""Stripe's, by event type; the endpoint subscribes to these. Other types are kept and ignored."""

PAYPAL_HANDLERS: dict[str, Callable[[Parts, ClaimedEvent], EventStatus]] = {
    "PAYMENT.CAPTURE.COMPLETED": payment_intent,
    "PAYMENT.CAPTURE.PENDING": payment_intent,
    "PAYMENT.CAPTURE.DECLINED": payment_intent,
    "PAYMENT.CAPTURE.DENIED": payment_intent,
    "PAYMENT.CAPTURE.REFUNDED": refund,
    "PAYMENT.REFUND.PENDING": refund,
    "PAYMENT.REFUND.FAILED": refund,
    "CUSTOMER.DISPUTE.CREATED": dispute,
    "CUSTOMER.DISPUTE.UPDATED": dispute,
    "CUSTOMER.DISPUTE.RESOLVED": dispute,
    "VAULT.PAYMENT-TOKEN.DELETED": payment_method,
}
"""PayPal's. No type of the one is a type of the other."""

BY_TYPE = HANDLERS | PAYPAL_HANDLERS
