"""The figures of the closing table, read from our rows and the stand-in's counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from billing.flows.parts import Parts
from billing.sandbox.clock import stand_ins


@dataclass(frozen=True, slots=True)
class Currency:
    """Invoices of one currency; amounts in minor units."""

    currency: str
    invoices: int
    issued_minor: int
    paid_minor: int
    outstanding_minor: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the closing table shows."""

    currencies: tuple[Currency, ...]
    attempts: dict[str, int]
    """By outcome."""
    recovered: int
    """Invoices paid after a decline."""
    failing: int
    """Open invoices that were declined."""
    unknown_met: int
    unknown_left: int
    faults: dict[str, int]
    """Hits by kind."""
    events: int
    repeats: int
    """Deliveries of an event that was there already."""
    dropped: int
    settled_without_event: int
    """Charges whose event never came."""
    work_items: dict[str, int]
    """Open ones by kind."""


_CURRENCIES = text(
    """
    SELECT currency, count(*), sum(total_minor)::bigint, sum(amount_paid_minor)::bigint,
           coalesce(sum(amount_remaining_minor) FILTER (WHERE status = 'open'), 0)::bigint
    FROM billing.invoice WHERE kind = 'invoice' GROUP BY currency ORDER BY currency
    """
)
_ATTEMPTS = text("SELECT status, count(*) FROM billing.payment GROUP BY status ORDER BY count(*) DESC, status")
_WORK = text(
    "SELECT kind, count(*) FROM billing.work_item WHERE status IN ('open', 'parked') GROUP BY kind ORDER BY kind"
)
_ONE_ROW = text(
    """
    SELECT
      (SELECT count(*) FROM billing.invoice i WHERE status = 'paid'
         AND EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'declined')) AS recovered,
      (SELECT count(*) FROM billing.invoice i WHERE status = 'open'
         AND EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'declined')) AS failing,
      (SELECT count(DISTINCT object_id) FROM billing.outbox WHERE topic = 'payment.unknown') AS unknown_met,
      (SELECT count(*) FROM billing.payment WHERE status = 'unknown') AS unknown_left,
      (SELECT count(*) FROM billing.provider_event) AS events,
      (SELECT count(*) FROM billing.payment_intent i WHERE status = 'succeeded'
         AND NOT EXISTS (SELECT FROM billing.provider_event e WHERE e.object_ref = i.intent_ref
                         AND e.type IN ('payment_intent.succeeded', 'PAYMENT.CAPTURE.COMPLETED')))
        AS settled_without_event
    """
)


def read_figures(parts: Parts) -> Figures:
    """Read them. Raises `ProviderUnavailable`."""
    hits: dict[str, int] = {}
    for fault in (each for stand_in in stand_ins(parts) for each in stand_in.faults()):
        hits[fault["kind"]] = hits.get(fault["kind"], 0) + int(fault["hits"])
    with parts.begin() as session:
        row: Row[Any] = session.execute(_ONE_ROW).one()
        return Figures(
            currencies=tuple(Currency(*each) for each in session.execute(_CURRENCIES)),
            attempts={row[0]: row[1] for row in session.execute(_ATTEMPTS)},
            recovered=row.recovered,
            failing=row.failing,
            unknown_met=row.unknown_met,
            unknown_left=row.unknown_left,
            faults=hits,
            events=row.events,
            repeats=hits.get("webhook_duplicate", 0),
            dropped=hits.get("webhook_drop", 0),
            settled_without_event=row.settled_without_event,
            work_items={row[0]: row[1] for row in session.execute(_WORK)},
        )
