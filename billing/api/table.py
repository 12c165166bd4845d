"""The table of all operations."""

from __future__ import annotations

from billing.api import (
    acceptances,
    books,
    brakes,
    catalog,
    disputes,
    documents,
    drafts,
    endpoints,
    invoices,
    money,
    moves,
    operations,
    payment_methods,
    payments,
    persons,
    previews,
    profiles,
    provider_events,
    subscriptions,
    tax_rates,
    usage,
)
from billing.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *profiles.OPERATIONS,
    *persons.OPERATIONS,
    *payment_methods.OPERATIONS,
    *catalog.OPERATIONS,
    *moves.OPERATIONS,
    *tax_rates.OPERATIONS,
    *subscriptions.OPERATIONS,
    *previews.OPERATIONS,
    *usage.OPERATIONS,
    *invoices.OPERATIONS,
    *documents.OPERATIONS,
    *drafts.OPERATIONS,
    *money.OPERATIONS,
    *payments.OPERATIONS,
    *disputes.OPERATIONS,
    *books.OPERATIONS,
    *brakes.OPERATIONS,
    *operations.OPERATIONS,
    *acceptances.OPERATIONS,
    *provider_events.OPERATIONS,
    *endpoints.OPERATIONS,
)
