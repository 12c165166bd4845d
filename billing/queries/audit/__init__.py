"""The audit: what must hold over the whole database and the provider's witness, one family of invariants a file."""

from __future__ import annotations

from billing.queries.audit.breaks import BREAKS
from billing.queries.audit.collection import COLLECTION
from billing.queries.audit.events import EVENTS
from billing.queries.audit.invariant import Invariant
from billing.queries.audit.invoices import INVOICES
from billing.queries.audit.jobs import JOBS
from billing.queries.audit.ledger import LEDGER
from billing.queries.audit.payments import PAYMENTS
from billing.queries.audit.renewals import RENEWALS
from billing.queries.audit.secrets import SECRETS

INVARIANTS: tuple[Invariant, ...] = (
    *PAYMENTS,
    *LEDGER,
    *BREAKS,
    *INVOICES,
    *RENEWALS,
    *COLLECTION,
    *EVENTS,
    *JOBS,
    *SECRETS,
)
"""In the order in which a report shows them."""

__all__ = ["INVARIANTS", "Invariant"]
