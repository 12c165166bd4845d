"""What a customer is told with a document: an invoice, a note, a receipt. Made of those facts' events, once each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.notice.tell import News, tell
from billing.events.topics import Topic
from billing.rules.notice import MailsDocuments, NoticeKind

DOCUMENT_TOPICS = (Topic.INVOICE_ISSUED, Topic.CREDIT_NOTE_ISSUED, Topic.INVOICE_PAID)
"""Events with which a document goes to the customer."""

_KINDS = {
    Topic.INVOICE_ISSUED: NoticeKind.INVOICE_ISSUED,
    Topic.CREDIT_NOTE_ISSUED: NoticeKind.NOTE_ISSUED,
    Topic.INVOICE_PAID: NoticeKind.RECEIPT,
}
_FACTS = text(
    f"""
    SELECT o.id, o.topic, i.seller_id, i.profile_id, i.id AS invoice_id, i.subscription_id, i.number, i.currency,
           COALESCE((o.payload ->> 'amount_paid_minor')::bigint, i.total_minor) AS amount_minor
    FROM billing.outbox o
    JOIN billing.invoice i ON i.id = o.object_id
    JOIN billing.seller s ON s.id = i.seller_id
    WHERE o.id = ANY(:events) AND (
        s.mail_documents = '{MailsDocuments.ALL}'
        OR s.mail_documents = '{MailsDocuments.DOCUMENTS}' AND o.topic <> '{Topic.INVOICE_PAID}')
      AND (o.topic <> '{Topic.INVOICE_PAID}' OR o.payload ->> 'amount_paid_minor' IS DISTINCT FROM '0')
    ORDER BY o.id
    """  # noqa: S608 (our own words)
)


def tell_of_documents(session: Session, events: Sequence[UUID], *, now: datetime) -> None:
    """Write a notice for each of these events whose seller mails its document.

    No receipt where nothing came: a note has taken all of the debt away, and is mailed itself.
    """
    if not events:
        return
    news = [
        News(
            _KINDS[Topic(row.topic)],
            str(row.id),
            row.seller_id,
            row.profile_id,
            row.invoice_id,
            row.subscription_id,
            {
                "invoice_id": str(row.invoice_id),
                "number": row.number,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
            },
        )
        for row in session.execute(_FACTS, {"events": list(events)})
    ]
    tell(session, news, now=now)
