"""The company of the flows' tests, whose rows the database defends."""

from __future__ import annotations

from tests.flows.conftest import acme

__all__ = ["acme"]
