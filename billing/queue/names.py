"""Task names and queues, and the table of ticks from which `beat_schedule.py` is built."""

from __future__ import annotations

from dataclasses import dataclass

QUEUES = ("renewals", "charges", "webhooks", "deliveries", "upkeep")
"""DECISIONS 38. A worker without `-Q` consumes all of them."""


@dataclass(frozen=True, slots=True)
class TaskName:
    """A task as messages name it, and the queue it travels in."""

    name: str
    queue: str


RENEWALS_TICK = TaskName("renewals.tick", "renewals")
RENEWALS_BILL = TaskName("renewals.bill", "renewals")
COLLECTIONS_TICK = TaskName("collections.tick", "charges")
COLLECTIONS_CHARGE = TaskName("collections.charge", "charges")
COLLECTIONS_RESOLVE = TaskName("collections.resolve", "charges")
REFUNDS_TICK = TaskName("refunds.tick", "charges")
REFUNDS_SEND = TaskName("refunds.send", "charges")
INBOX_TICK = TaskName("inbox.tick", "webhooks")
INBOX_BACKFILL = TaskName("inbox.backfill", "upkeep")
INBOX_PROCESS = TaskName("inbox.process", "webhooks")
NOTICES_TICK = TaskName("notices.tick", "deliveries")
DELIVERIES_TICK = TaskName("deliveries.tick", "deliveries")
DELIVERIES_SEND = TaskName("deliveries.send", "deliveries")
DOCUMENTS_TICK = TaskName("documents.tick", "deliveries")
BOOKS_TICK = TaskName("books.tick", "upkeep")
UPKEEP_TICK = TaskName("upkeep.tick", "upkeep")
RECONCILE_TICK = TaskName("reconcile.tick", "upkeep")
AUDIT_TICK = TaskName("audit.tick", "upkeep")
AUDIT_WHOLE = TaskName("audit.whole", "upkeep")

TICKS = (
    RENEWALS_TICK,
    COLLECTIONS_TICK,
    COLLECTIONS_RESOLVE,
    REFUNDS_TICK,
    INBOX_TICK,
    INBOX_BACKFILL,
    NOTICES_TICK,
    DELIVERIES_TICK,
    DOCUMENTS_TICK,
    BOOKS_TICK,
    UPKEEP_TICK,
    RECONCILE_TICK,
    AUDIT_TICK,
    AUDIT_WHOLE,
)
"""Each only wakes a sweep, every `tick_s` seconds of wall time (deliveries: every `delivery_every_s`). Late, doubled or
missing ones harm nothing."""
