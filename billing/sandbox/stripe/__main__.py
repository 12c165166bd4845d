"""`python -m billing.sandbox.stripe`: the same command without the rest of the engine."""

from __future__ import annotations

from billing.sandbox.stripe.command import stripe

if __name__ == "__main__":
    stripe()
