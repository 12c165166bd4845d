"""PayPal's receiver: five headers sign, and who sent them has a share of what they make us fetch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.flows.parts import Parts
from billing.kernel.visitor import network
from billing.webhooks.answer import Receiver
from billing.webhooks.door import receiver

_HEADERS = ("TRANSMISSION_ID", "TRANSMISSION_TIME", "CERT_URL", "AUTH_ALGO", "TRANSMISSION_SIG")


def paypal_receiver(parts: Parts) -> Receiver:
    """`POST /webhooks/paypal[/<code>]`."""
    return receiver(parts, provider="paypal", signature_of=packed)


def packed(environ: Mapping[str, Any]) -> str:
    """The headers as the adapter reads them and the sender's network, a line each. A header's value has no line end."""
    lines = [environ.get(f"HTTP_PAYPAL_{name}", "") for name in _HEADERS]
    return "\n".join([*lines, network(environ.get("REMOTE_ADDR"))])
