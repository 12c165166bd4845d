"""The audit: what must hold over the whole database and the provider's witness, one family of invariants a file."""

from __future__ import annotations

from billing.queries.audit.authority import AUTHORITY
from billing.queries.audit.breaks import BREAKS
from billing.queries.audit.charged import CHARGED
from billing.queries.audit.collection import COLLECTION
from billing.queries.audit.corrections import CORRECTED
from billing.queries.audit.events import EVENTS
from billing.queries.audit.frozen import FROZEN
from billing.queries.audit.invariant import Invariant
from billing.queries.audit.invoices import INVOICES
from billing.queries.audit.jobs import JOBS
from billing.queries.audit.ledger import LEDGER
from billing.queries.audit.outbound import IN_TIME
from billing.queries.audit.outbox import NOT_TAKEN_BACK, ONLY_ALLOWED_MOVES, TOLD_ONCE
from billing.queries.audit.outcomes import EVIDENCE, SAME_END
from billing.queries.audit.payments import PAYMENTS
from billing.queries.audit.people import TRAIL_KEPT, WRITTEN_DOWN
from billing.queries.audit.refunds import REFUNDS
from billing.queries.audit.renewals import RENEWALS
from billing.queries.audit.sealed import FORGOTTEN, SEALED
from billing.queries.audit.secrets import SECRETS


def _place(invariant: Invariant) -> tuple[int, int]:
    return "PLNRCEJS".index(invariant.code[0]), int(invariant.code[1:])


INVARIANTS: tuple[Invariant, ...] = tuple(
    sorted(
        (
            *PAYMENTS,
            AUTHORITY,
            REFUNDS,
            EVIDENCE,
            *LEDGER,
            CORRECTED,
            *BREAKS,
            *INVOICES,
            FROZEN,
            *RENEWALS,
            CHARGED,
            *COLLECTION,
            *EVENTS,
            SAME_END,
            NOT_TAKEN_BACK,
            TOLD_ONCE,
            IN_TIME,
            *JOBS,
            WRITTEN_DOWN,
            ONLY_ALLOWED_MOVES,
            *SECRETS,
            SEALED,
            FORGOTTEN,
            TRAIL_KEPT,
        ),
        key=_place,
    )
)
"""In the order in which a report shows them: payments, ledger, numbers, renewals, collection, events, jobs, secrets."""

__all__ = ["INVARIANTS", "Invariant"]
