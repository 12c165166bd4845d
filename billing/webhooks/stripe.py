"""Stripe's receiver: one header signs."""

from __future__ import annotations

from billing.flows.parts import Parts
from billing.webhooks.answer import Receiver
from billing.webhooks.door import receiver


def stripe_receiver(parts: Parts) -> Receiver:
    """`POST /webhooks/stripe[/<code>]`."""
    return receiver(parts, provider="stripe", signature_of=lambda environ: environ.get("HTTP_STRIPE_SIGNATURE", ""))
