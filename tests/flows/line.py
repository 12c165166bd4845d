"""The broker's place in tests of flows: what was sent and not yet run, what runs it, and what is still due."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import text

from billing.flows import collection, inbox, recognition, refunding, renewal, resolution, upkeep
from billing.flows.parts import Parts
from billing.queue.buffer import Message
from billing.queue.names import COLLECTIONS_CHARGE, INBOX_PROCESS, REFUNDS_SEND, RENEWALS_BILL


@dataclass
class Line:
    """Messages in the order in which they were sent."""

    messages: deque[Message] = field(default_factory=deque)

    def send(self, messages: list[Message]) -> None:
        self.messages.extend(messages)

    def take(self) -> Message | None:
        """The oldest, for one of several who take them; None where there is none."""
        try:
            return self.messages.popleft()
        except IndexError:
            return None


WORK: dict[str, Callable[..., object]] = {
    RENEWALS_BILL.name: renewal.bill,
    COLLECTIONS_CHARGE.name: collection.charge,
    INBOX_PROCESS.name: inbox.process_all,
    REFUNDS_SEND.name: refunding.send,
}
SWEEPS: tuple[Callable[[Parts], int], ...] = (
    renewal.plan,
    collection.plan,
    resolution.resolve,
    refunding.sweep,
    inbox.sweep,
    recognition.recognise_due,
    upkeep.wake_slices,
)

_DUE = text(
    """
    SELECT 'slices', count(*) FROM billing.slice WHERE status IN ('pending', 'running')
    UNION ALL SELECT 'attempts', count(*) FROM billing.payment WHERE status IN ('prepared', 'sent', 'unknown')
    UNION ALL SELECT 'refunds', count(*) FROM billing.refund
        WHERE status IN ('pending', 'requires_action') AND next_check_at <= clock_timestamp() + interval '10 seconds'
    UNION ALL SELECT 'events', count(*) FROM billing.provider_event WHERE next_try_at IS NOT NULL
    UNION ALL SELECT 'invoices', count(*) FROM billing.invoice
        WHERE next_attempt_at <= :now AND hold_id IS NULL AND status = 'open'
          AND NOT EXISTS (SELECT FROM billing.dispute d JOIN billing.seller s ON s.id = d.seller_id
                          WHERE d.profile_id = invoice.profile_id AND d.closed_at IS NULL AND s.dispute_stops_charging)
    UNION ALL SELECT 'subscriptions', count(*) FROM billing.subscription s
        JOIN billing.profile p ON p.id = s.profile_id
        WHERE next_due_at <= :now AND s.hold_id IS NULL AND p.hold_id IS NULL
    """
)


def still_due(parts: Parts) -> dict[str, int]:
    """What our rows show as due now, by kind; empty where nothing is."""
    with parts.begin() as session:
        counts = session.execute(_DUE, {"now": parts.clock.now(session)}).all()
    return {name: count for name, count in counts if count}
