"""Notices: what a customer is told of a payment that goes wrong or right, of a renewal to come, and with a document."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from billing.rules.dunning import DeclineClass, Need, need_of

LIFE = timedelta(days=3)
"""A notice that could not leave for so long (business time) is no news any more."""
DOCUMENT_LIFE = timedelta(days=30)
"""The same for a document, which its customer needs however late it comes."""


class NoticeKind(StrEnum):
    """What it tells."""

    RENEWAL_UPCOMING = "renewal_upcoming"
    PAYMENT_FAILED = "payment_failed"
    """Time may mend it: it is tried again without the customer."""
    ACTION_NEEDED = "action_needed"
    """Only the customer can mend it."""
    PAYMENT_RECOVERED = "payment_recovered"
    COLLECTION_ENDED = "collection_ended"
    """It is not tried again by itself."""
    DEBIT_UPCOMING = "debit_upcoming"
    """A bank account is debited on a day to come."""
    INVOICE_ISSUED = "invoice_issued"
    """The document itself, which goes with the mail; so with the next two."""
    NOTE_ISSUED = "note_issued"
    """A credit note, or a cancellation."""
    RECEIPT = "receipt"


ABOUT_DEBT = (NoticeKind.PAYMENT_FAILED, NoticeKind.ACTION_NEEDED, NoticeKind.COLLECTION_ENDED)
"""What is true only while the invoice is open, and what a recovery answers."""
WITH_DOCUMENT = (NoticeKind.INVOICE_ISSUED, NoticeKind.NOTE_ISSUED, NoticeKind.RECEIPT)
"""What carries the document, and leaves by mail alone: its event is that of the fact."""


class MailsDocuments(StrEnum):
    """Which documents a seller's customers get by mail. `ALL`: receipts, too."""

    OFF = "off"
    DOCUMENTS = "documents"
    ALL = "all"


def notice_of(decline: DeclineClass, *, ended: bool, tried: bool) -> tuple[NoticeKind, Need | None] | None:
    """What to tell after a moment that brought no money; None: nothing new.

    `ended`: no more tries follow by themselves. `tried`: a charge was sent; else the moment passed without one.
    """
    need = need_of(decline)
    if ended:
        return NoticeKind.COLLECTION_ENDED, need
    if need is not None:
        return NoticeKind.ACTION_NEEDED, need
    return (NoticeKind.PAYMENT_FAILED, None) if tried else None
