"""`python -m billing.sandbox.paypal`: the same command without the rest of the engine."""

from __future__ import annotations

from billing.sandbox.paypal.command import paypal

if __name__ == "__main__":
    paypal()
