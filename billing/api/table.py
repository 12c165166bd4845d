"""The table of all operations."""

from __future__ import annotations

from billing.api import invoices, previews, profiles, subscriptions
from billing.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *profiles.OPERATIONS,
    *subscriptions.OPERATIONS,
    *previews.OPERATIONS,
    *invoices.OPERATIONS,
)
