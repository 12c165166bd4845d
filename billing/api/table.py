"""The table of all operations."""

from __future__ import annotations

from billing.api import catalog, invoices, money, operations, payment_methods, previews, profiles, subscriptions, usage
from billing.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *profiles.OPERATIONS,
    *payment_methods.OPERATIONS,
    *catalog.OPERATIONS,
    *subscriptions.OPERATIONS,
    *previews.OPERATIONS,
    *usage.OPERATIONS,
    *invoices.OPERATIONS,
    *money.OPERATIONS,
    *operations.OPERATIONS,
)
