"""The records: one table family a file, whose constraints carry the rules. Importing this room imports every table."""

from __future__ import annotations

from billing.models.accrual import LineAccrual, UsageAccrual
from billing.models.api import ApiAnswer, ApiKey, ApiUse
from billing.models.audit_run import AuditAcceptance, AuditRun, AuditSeal
from billing.models.audit_trail import AuditRecord
from billing.models.brake import Brake
from billing.models.clock import SandboxClock
from billing.models.coupon import Coupon
from billing.models.credit import CreditBalance
from billing.models.database_pin import DatabasePin
from billing.models.dispute import Dispute, FraudWarning
from billing.models.e_invoice import EInvoice
from billing.models.endpoint import Delivery, DeliveryAttempt, Endpoint
from billing.models.exchange_rate import ExchangeRate, RateSource
from billing.models.heartbeat import Heartbeat
from billing.models.invoice import Invoice, InvoiceLine
from billing.models.issued_day import IssuedDay
from billing.models.ledger import Account, LedgerEntry, MonthClose, Posting
from billing.models.notice import Notice
from billing.models.operator import LoginTry, Operator, OperatorSession
from billing.models.operator_order import OperatorOrder
from billing.models.outbox import OutboxEvent
from billing.models.payment import Payment, PaymentIntent, ProviderWrite, UnappliedPayment
from billing.models.payment_method import PaymentMethod
from billing.models.payout import Payout, ProviderMovement
from billing.models.price import Price
from billing.models.product import Product
from billing.models.profile import Profile, ProviderCustomer
from billing.models.provider_account import ProviderAccount
from billing.models.provider_event import ProviderEvent
from billing.models.provider_rate import ProviderRate
from billing.models.reconciliation import Difference, Reconciliation
from billing.models.refund import ExternalPayment, Refund
from billing.models.revenue import RevenueMovement, RevenueSchedule
from billing.models.seller import DataKey, Seller, Series, TaxRate
from billing.models.slice import Slice
from billing.models.subscription import BillingPeriod, PastItem, Subscription, SubscriptionItem, SubscriptionPause
from billing.models.triggers import TRIGGERS
from billing.models.usage_record import UsageRecord
from billing.models.waiting_line import WaitingLine
from billing.models.work_item import WorkItem

# Last: it reads every table.
from billing.models.policies import POLICIES  # isort: skip

__all__ = [
    "POLICIES",
    "TRIGGERS",
    "Account",
    "ApiAnswer",
    "ApiKey",
    "ApiUse",
    "AuditAcceptance",
    "AuditRecord",
    "AuditRun",
    "AuditSeal",
    "BillingPeriod",
    "Brake",
    "Coupon",
    "CreditBalance",
    "DataKey",
    "DatabasePin",
    "Delivery",
    "DeliveryAttempt",
    "Difference",
    "Dispute",
    "EInvoice",
    "Endpoint",
    "ExchangeRate",
    "ExternalPayment",
    "FraudWarning",
    "Heartbeat",
    "Invoice",
    "InvoiceLine",
    "IssuedDay",
    "LedgerEntry",
    "LineAccrual",
    "LoginTry",
    "MonthClose",
    "Notice",
    "Operator",
    "OperatorOrder",
    "OperatorSession",
    "OutboxEvent",
    "PastItem",
    "Payment",
    "PaymentIntent",
    "PaymentMethod",
    "Payout",
    "Posting",
    "Price",
    "Product",
    "Profile",
    "ProviderAccount",
    "ProviderCustomer",
    "ProviderEvent",
    "ProviderMovement",
    "ProviderRate",
    "ProviderWrite",
    "RateSource",
    "Reconciliation",
    "Refund",
    "RevenueMovement",
    "RevenueSchedule",
    "SandboxClock",
    "Seller",
    "Series",
    "Slice",
    "Subscription",
    "SubscriptionItem",
    "SubscriptionPause",
    "TaxRate",
    "UnappliedPayment",
    "UsageAccrual",
    "UsageRecord",
    "WaitingLine",
    "WorkItem",
]
