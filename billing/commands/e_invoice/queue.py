"""Queue issued documents for the transports of their countries: once each, made of the events of their issue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.events.topics import Topic
from billing.kernel.ids import new_ids
from billing.kernel.period import zone_info
from billing.rules.completeness import mandate

ISSUE_TOPICS = (Topic.INVOICE_ISSUED, Topic.CREDIT_NOTE_ISSUED)

_DOCUMENTS = text(
    """
    SELECT i.id, i.seller_id, i.buyer_country, i.buyer_kind, i.issued_at, s.country, s.timezone, s.e_invoices
    FROM billing.outbox o
    JOIN billing.invoice i ON i.id = o.object_id
    JOIN billing.seller s ON s.id = i.seller_id
    WHERE o.id = ANY(:events) AND o.topic = ANY(:topics) AND s.e_invoices <> 'off' AND s.country = ANY(:countries)
    ORDER BY o.id
    """
)
_INSERT = text(
    """
    INSERT INTO billing.e_invoice (id, seller_id, invoice_id, country, law, status, tries, token, next_try_at)
    SELECT t.id, t.seller_id, t.invoice_id, t.country, t.law, 'waiting', 0, 0, clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:sellers AS uuid[]), CAST(:invoices AS uuid[]), CAST(:countries AS text[]),
                CAST(:laws AS text[])) AS t (id, seller_id, invoice_id, country, law)
    ON CONFLICT (invoice_id) DO NOTHING
    """
)


def queue_e_invoices(session: Session, events: Sequence[UUID], *, countries: Collection[str]) -> None:
    """Of these events' documents, those that a law of `countries` wants structured, wait for a transport from now on.

    A note goes the way of the invoice that it corrects.
    """
    if not events or not countries:
        return
    rows = session.execute(
        _DOCUMENTS, {"events": list(events), "topics": list(ISSUE_TOPICS), "countries": list(countries)}
    )
    meant = []
    for row in rows:
        day = row.issued_at.astimezone(zone_info(row.timezone)).date()
        law = mandate(row.country, row.buyer_country, row.buyer_kind, row.e_invoices, day)
        if law is not None:
            meant.append((row, law))
    if not meant:
        return
    session.execute(
        _INSERT,
        {
            "ids": new_ids(len(meant)),
            "sellers": [row.seller_id for row, _ in meant],
            "invoices": [row.id for row, _ in meant],
            "countries": [law.country for _, law in meant],
            "laws": [law.source for _, law in meant],
        },
    )
