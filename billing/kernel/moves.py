"""One table of the moves between states.

A state without moves is final. A move from a state to itself is not a move: who repeats a command asks the row first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import (
    DeliveryStatus,
    DisputeStatus,
    EInvoiceStatus,
    EndpointStatus,
    EventStatus,
    InvoiceStatus,
    MethodStatus,
    NoticeStatus,
    OrderStatus,
    PaymentStatus,
    PayoutStatus,
    PeriodDisposition,
    RefundStatus,
    SliceStatus,
    SubscriptionStatus,
    WorkItemStatus,
)

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
    # Once the customer has said where the money is to go, it is on its way as any other.
    RefundStatus.REQUIRES_ACTION: frozenset(
        {RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED}
    ),
    # A bank may send a refund back days after it took it.
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
}

_PAYOUT: _Table = {
    PayoutStatus.PENDING: frozenset(
        {PayoutStatus.IN_TRANSIT, PayoutStatus.PAID, PayoutStatus.FAILED, PayoutStatus.CANCELED}
    ),
    PayoutStatus.IN_TRANSIT: frozenset({PayoutStatus.PAID, PayoutStatus.FAILED, PayoutStatus.CANCELED}),
    # A bank may send back what it took.
    PayoutStatus.PAID: frozenset({PayoutStatus.FAILED, PayoutStatus.CANCELED}),
}

_NOTICE: _Table = {
    NoticeStatus.WAITING: frozenset({NoticeStatus.SENT, NoticeStatus.DROPPED, NoticeStatus.FAILED}),
    # A person may have it sent again, once the address is mended.
    NoticeStatus.FAILED: frozenset({NoticeStatus.WAITING}),
}

_E_INVOICE: _Table = {
    EInvoiceStatus.WAITING: frozenset({EInvoiceStatus.SENT, EInvoiceStatus.FAILED}),
    EInvoiceStatus.FAILED: frozenset({EInvoiceStatus.WAITING}),
}

_ENDPOINT: _Table = {
    EndpointStatus.ON: frozenset({EndpointStatus.OFF}),
    EndpointStatus.OFF: frozenset({EndpointStatus.ON}),
}

_DELIVERY: _Table = {
    DeliveryStatus.WAITING: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.DEAD}),
    # Replayed.
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.WAITING}),
    DeliveryStatus.DEAD: frozenset({DeliveryStatus.WAITING}),
}

_CHARGEBACK = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})
_DISPUTE_ENDS = frozenset({DisputeStatus.WON, DisputeStatus.LOST})

_DISPUTE: _Table = {
    # An inquiry may become a chargeback at any time, also one that seemed over.
    DisputeStatus.WARNING_NEEDS_RESPONSE: _CHARGEBACK
    | _DISPUTE_ENDS
    | {DisputeStatus.WARNING_UNDER_REVIEW, DisputeStatus.WARNING_CLOSED},
    # Buyer and seller answer each other in turn, and a bank or PayPal may ask again.
    DisputeStatus.WARNING_UNDER_REVIEW: _CHARGEBACK
    | _DISPUTE_ENDS
    | {DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.WARNING_CLOSED},
    DisputeStatus.WARNING_CLOSED: _CHARGEBACK | _DISPUTE_ENDS,
    DisputeStatus.NEEDS_RESPONSE: _DISPUTE_ENDS | {DisputeStatus.UNDER_REVIEW},
    DisputeStatus.UNDER_REVIEW: _DISPUTE_ENDS | {DisputeStatus.NEEDS_RESPONSE},
    # The issuer may still give in after it has won.
    DisputeStatus.LOST: frozenset({DisputeStatus.WON}),
}

_ORDER: _Table = {
    OrderStatus.WAITING: frozenset({OrderStatus.RUNNING, OrderStatus.DECLINED, OrderStatus.EXPIRED}),
    # A process that was only slow tells in the end what became of it.
    OrderStatus.RUNNING: frozenset({OrderStatus.DONE, OrderStatus.REFUSED, OrderStatus.UNCLEAR}),
    OrderStatus.UNCLEAR: frozenset({OrderStatus.DONE, OrderStatus.REFUSED}),
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
    PayoutStatus: ("payout", _PAYOUT),
    NoticeStatus: ("notice", _NOTICE),
    EInvoiceStatus: ("e_invoice", _E_INVOICE),
    DisputeStatus: ("dispute", _DISPUTE),
    EndpointStatus: ("endpoint", _ENDPOINT),
    DeliveryStatus: ("delivery", _DELIVERY),
    OrderStatus: ("order", _ORDER),
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
