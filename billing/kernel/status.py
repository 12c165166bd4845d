"""The states of everything that has states. `kernel.moves` says which may follow which."""

from __future__ import annotations

from enum import StrEnum


class SubscriptionStatus(StrEnum):
    """Of a subscription. `unpaid`: invoices are still issued, none is charged."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"


UNCHARGED = frozenset({SubscriptionStatus.UNPAID, SubscriptionStatus.CANCELED})
"""Of a subscription that is so before it is billed, invoices are issued and none is charged by itself."""


class InvoiceStatus(StrEnum):
    """Of every document: `credited` and `refunded` are those of credit notes, `expired` of a draft never paid.

    `replaced`: credited in full, and a corrected document stands in its place.
    """

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    REPLACED = "replaced"
    EXPIRED = "expired"
    CREDITED = "credited"
    REFUNDED = "refunded"


COLLECTABLE = frozenset({InvoiceStatus.OPEN, InvoiceStatus.DRAFT})
"""What attempts may be made for: the draft is that of a subscription which waits for its first payment."""


class PaymentStatus(StrEnum):
    """Of one attempt. `unknown` is open until evidence closes it; `not_sent` may be reopened under the same key."""

    PREPARED = "prepared"
    SENT = "sent"
    UNKNOWN = "unknown"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELED = "canceled"
    NOT_SENT = "not_sent"


class PaymentKind(StrEnum):
    """How an attempt came about: by us, with the customer at hand, or adopted: money that came without our asking."""

    OFF_SESSION = "off_session"
    ON_SESSION = "on_session"
    ADOPTED = "adopted"


OPEN_PAYMENT = frozenset(
    {
        PaymentStatus.PREPARED,
        PaymentStatus.SENT,
        PaymentStatus.UNKNOWN,
        PaymentStatus.PROCESSING,
        PaymentStatus.REQUIRES_ACTION,
    }
)
"""An invoice has at most one attempt in these."""

CLOSED_PAYMENT = frozenset(PaymentStatus) - OPEN_PAYMENT


class RefundStatus(StrEnum):
    """Of a refund. `failed` leaves a liability and a work item: the credit note stands."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


OPEN_REFUND = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION})
FAILED_REFUND = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
"""The provider will not send it: the money is owed until a person settles it."""


class SettledAs(StrEnum):
    """Where money goes that we owe a customer and can't send back: of a refund that failed, or kept apart."""

    CREDIT = "credit"
    PAID = "paid"


SETTLED_BY_DISPUTE = "dispute"
"""What stands in the place of a `SettledAs` where no person chose it: a lost dispute took the money of that refund."""


class PayoutStatus(StrEnum):
    """Of a payout of the provider's balance to a bank, in the provider's words."""

    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


class DisputeStatus(StrEnum):
    """Of a dispute, in the provider's words. `warning_…` is an inquiry: it has moved no money."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


OPEN_DISPUTE = frozenset(
    {
        DisputeStatus.WARNING_NEEDS_RESPONSE,
        DisputeStatus.WARNING_UNDER_REVIEW,
        DisputeStatus.NEEDS_RESPONSE,
        DisputeStatus.UNDER_REVIEW,
    }
)
INQUIRY = frozenset(
    {DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.WARNING_UNDER_REVIEW, DisputeStatus.WARNING_CLOSED}
)


class EventStatus(StrEnum):
    """Of a stored delivery. `dead`: given up on, a work item tells; any handled one may be replayed."""

    RECEIVED = "received"
    PROCESSING = "processing"
    PROCESSED = "processed"
    IGNORED = "ignored"
    DEAD = "dead"


class OrderStatus(StrEnum):
    """Of an order of the console. `waiting`: for a second person. `unclear`: its process ended in the middle."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    UNCLEAR = "unclear"


class WorkItemStatus(StrEnum):
    """Of a work item. `parked` waits for a person by decision, `discarded` needs nothing more."""

    OPEN = "open"
    PARKED = "parked"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


LIVE_WORK = (WorkItemStatus.OPEN, WorkItemStatus.PARKED)
"""What still needs somebody; of a kind and a thing there is one."""


class MethodStatus(StrEnum):
    """Of a payment method. `pending` until the provider confirms its set-up."""

    PENDING = "pending"
    ACTIVE = "active"
    DETACHED = "detached"


class NoticeStatus(StrEnum):
    """Of a message to a customer. `dropped`: it had no address, no mail server or no point any more."""

    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"
    FAILED = "failed"


class EInvoiceStatus(StrEnum):
    """Of a document on its way to a network for structured invoices. `failed`: a person looks."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class EndpointStatus(StrEnum):
    """Of a receiver of domain events. `off`: by a person, or because nothing reached it for days."""

    ON = "on"
    OFF = "off"


class DeliveryStatus(StrEnum):
    """Of an event on its way to an endpoint. `dead`: tried for three days, a work item tells."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class PeriodDisposition(StrEnum):
    """What became of a billing period."""

    BILLED = "billed"
    TRIAL = "trial"
    PAUSED = "paused"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    EMPTY = "empty"
    """Nothing was due in advance: all of it is metered, and billed when it is over."""


class SliceStatus(StrEnum):
    """Of a slice of work. `split`: two smaller ones took its place."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SPLIT = "split"
