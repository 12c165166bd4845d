"""The states of everything that has states, and one table of the moves between them.

A state without moves is final. A move from a state to itself is not a move: who repeats a command asks the row first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from billing.kernel.errors import Fault, Refused


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


class WorkItemStatus(StrEnum):
    """Of a work item. `parked` waits for a person by decision, `discarded` needs nothing more."""

    OPEN = "open"
    PARKED = "parked"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


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


Status = TypeVar("Status", bound=StrEnum)
_Table = dict[StrEnum, frozenset[StrEnum]]

_SUBSCRIPTION: _Table = {
    SubscriptionStatus.INCOMPLETE: frozenset(
        {SubscriptionStatus.ACTIVE, SubscriptionStatus.INCOMPLETE_EXPIRED, SubscriptionStatus.CANCELED}
    ),
    # A decline changes the status only from active, so a trial ends in active first.
    SubscriptionStatus.TRIALING: frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}),
    SubscriptionStatus.ACTIVE: frozenset(
        {
            SubscriptionStatus.PAST_DUE,
            SubscriptionStatus.UNPAID,
            SubscriptionStatus.PAUSED,
            SubscriptionStatus.CANCELED,
        }
    ),
    SubscriptionStatus.PAST_DUE: frozenset(
        {SubscriptionStatus.ACTIVE, SubscriptionStatus.UNPAID, SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED}
    ),
    SubscriptionStatus.UNPAID: frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}),
    SubscriptionStatus.PAUSED: frozenset(
        {SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.CANCELED}
    ),
}

_INVOICE: _Table = {
    InvoiceStatus.DRAFT: frozenset(
        {
            InvoiceStatus.OPEN,
            InvoiceStatus.PAID,
            InvoiceStatus.EXPIRED,
            InvoiceStatus.CREDITED,
            InvoiceStatus.REFUNDED,
        }
    ),
    InvoiceStatus.OPEN: frozenset(
        {InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.REPLACED}
    ),
    InvoiceStatus.PAID: frozenset({InvoiceStatus.REPLACED}),
    InvoiceStatus.UNCOLLECTIBLE: frozenset({InvoiceStatus.PAID}),
}

_ANSWERS: frozenset[StrEnum] = frozenset(
    {
        PaymentStatus.PROCESSING,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.SUCCEEDED,
        PaymentStatus.DECLINED,
        PaymentStatus.CANCELED,
        PaymentStatus.NOT_SENT,
    }
)

_PAYMENT: _Table = {
    PaymentStatus.PREPARED: frozenset({PaymentStatus.SENT, PaymentStatus.NOT_SENT, PaymentStatus.CANCELED}),
    PaymentStatus.SENT: _ANSWERS | {PaymentStatus.UNKNOWN},
    # Asked again under the same key it stays unknown: only an answer ends it, never a timer.
    PaymentStatus.UNKNOWN: _ANSWERS,
    PaymentStatus.PROCESSING: frozenset(
        {
            PaymentStatus.REQUIRES_ACTION,
            PaymentStatus.SUCCEEDED,
            PaymentStatus.DECLINED,
            PaymentStatus.CANCELED,
        }
    ),
    PaymentStatus.REQUIRES_ACTION: frozenset(
        {
            PaymentStatus.PROCESSING,
            PaymentStatus.SUCCEEDED,
            PaymentStatus.DECLINED,
            PaymentStatus.CANCELED,
        }
    ),
    PaymentStatus.NOT_SENT: frozenset({PaymentStatus.PREPARED}),
}

_EVENT: _Table = {
    EventStatus.RECEIVED: frozenset({EventStatus.PROCESSING, EventStatus.IGNORED, EventStatus.DEAD}),
    EventStatus.PROCESSING: frozenset(
        {EventStatus.PROCESSED, EventStatus.IGNORED, EventStatus.RECEIVED, EventStatus.DEAD}
    ),
    # A person may replay any handled event: handlers are order-proof and act once.
    EventStatus.PROCESSED: frozenset({EventStatus.RECEIVED}),
    EventStatus.IGNORED: frozenset({EventStatus.RECEIVED}),
    EventStatus.DEAD: frozenset({EventStatus.RECEIVED}),
}

_WORK_ITEM: _Table = {
    WorkItemStatus.OPEN: frozenset({WorkItemStatus.PARKED, WorkItemStatus.RESOLVED, WorkItemStatus.DISCARDED}),
    WorkItemStatus.PARKED: frozenset({WorkItemStatus.OPEN, WorkItemStatus.RESOLVED, WorkItemStatus.DISCARDED}),
}

_METHOD: _Table = {
    MethodStatus.PENDING: frozenset({MethodStatus.ACTIVE, MethodStatus.DETACHED}),
    MethodStatus.ACTIVE: frozenset({MethodStatus.DETACHED}),
}

_PERIOD: _Table = {
    PeriodDisposition.BILLED: frozenset({PeriodDisposition.SUPERSEDED, PeriodDisposition.SKIPPED}),
    PeriodDisposition.TRIAL: frozenset({PeriodDisposition.SUPERSEDED}),
    PeriodDisposition.PAUSED: frozenset({PeriodDisposition.SUPERSEDED}),
}

_SLICE: _Table = {
    SliceStatus.PENDING: frozenset({SliceStatus.RUNNING}),
    SliceStatus.RUNNING: frozenset({SliceStatus.PENDING, SliceStatus.DONE, SliceStatus.SPLIT}),
}

_REFUND: _Table = {
    RefundStatus.PENDING: frozenset(
        {RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED}
    ),
    RefundStatus.REQUIRES_ACTION: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED}),
    # A bank may send a refund back days after it took it.
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
}

_NOTICE: _Table = {
    NoticeStatus.WAITING: frozenset({NoticeStatus.SENT, NoticeStatus.DROPPED, NoticeStatus.FAILED}),
    # A person may have it sent again, once the address is mended.
    NoticeStatus.FAILED: frozenset({NoticeStatus.WAITING}),
}

_CHARGEBACK = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})
_DISPUTE_ENDS = frozenset({DisputeStatus.WON, DisputeStatus.LOST})

_DISPUTE: _Table = {
    # An inquiry may become a chargeback at any time, also one that seemed over.
    DisputeStatus.WARNING_NEEDS_RESPONSE: _CHARGEBACK
    | _DISPUTE_ENDS
    | {DisputeStatus.WARNING_UNDER_REVIEW, DisputeStatus.WARNING_CLOSED},
    DisputeStatus.WARNING_UNDER_REVIEW: _CHARGEBACK | _DISPUTE_ENDS | {DisputeStatus.WARNING_CLOSED},
    DisputeStatus.WARNING_CLOSED: _CHARGEBACK | _DISPUTE_ENDS,
    DisputeStatus.NEEDS_RESPONSE: _DISPUTE_ENDS | {DisputeStatus.UNDER_REVIEW},
    DisputeStatus.UNDER_REVIEW: _DISPUTE_ENDS,
    # The issuer may still give in after it has won.
    DisputeStatus.LOST: frozenset({DisputeStatus.WON}),
}

# By class first: members of two enums with the same text are equal, so one flat table would mix them up.
_TABLES: dict[type[StrEnum], tuple[str, _Table]] = {
    SubscriptionStatus: ("subscription", _SUBSCRIPTION),
    InvoiceStatus: ("invoice", _INVOICE),
    PaymentStatus: ("payment", _PAYMENT),
    EventStatus: ("event", _EVENT),
    WorkItemStatus: ("work_item", _WORK_ITEM),
    MethodStatus: ("payment_method", _METHOD),
    PeriodDisposition: ("billing_period", _PERIOD),
    SliceStatus: ("slice", _SLICE),
    RefundStatus: ("refund", _REFUND),
    NoticeStatus: ("notice", _NOTICE),
    DisputeStatus: ("dispute", _DISPUTE),
}


def moves_from(current: StrEnum) -> frozenset[StrEnum]:
    """Every state that may follow `current`; empty where it is final."""
    return _TABLES[type(current)][1].get(current, frozenset())


def allowed(current: Status, target: Status) -> bool:
    """Whether `current` may become `target`. Staying is not a move. Both are of one class, else `TypeError`."""
    if type(current) is not type(target):
        raise TypeError(f"{current!r} and {target!r} are states of different things")
    return target in moves_from(current)


def require_move(current: Status, target: Status) -> None:
    """Raise `Refused` (`<noun>_move_not_allowed`) unless `current` may become `target`."""
    if allowed(current, target):
        return
    noun = _TABLES[type(current)][0]
    following = ", ".join(sorted(moves_from(current))) or "nothing: it is final"
    raise Refused(
        Fault("status", f"{noun}_move_not_allowed", f"{current} can't become {target}; it may become {following}")
    )
