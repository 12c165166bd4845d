"""The shapes of Stripe's objects, every field that the API shows, with the values a test account would have.

Field names are those of the published OpenAPI schemas; tests hold them against those and against Stripe's fixtures.
`created` and other times are Unix seconds of the stand-in's clock.
"""

from __future__ import annotations

from billing.sandbox.stripe.objects.aftermath import dispute, early_fraud_warning, refund
from billing.sandbox.stripe.objects.charges import balance_transaction, charge, outcome
from billing.sandbox.stripe.objects.intents import payment_intent, setup_intent
from billing.sandbox.stripe.objects.notices import API_VERSION, event, listed, webhook_endpoint
from billing.sandbox.stripe.objects.payouts import payout
from billing.sandbox.stripe.objects.people import account, customer, domain, mandate, payment_method

__all__ = [
    "API_VERSION",
    "account",
    "balance_transaction",
    "charge",
    "customer",
    "dispute",
    "domain",
    "early_fraud_warning",
    "event",
    "listed",
    "mandate",
    "outcome",
    "payment_intent",
    "payment_method",
    "payout",
    "refund",
    "setup_intent",
    "webhook_endpoint",
]
