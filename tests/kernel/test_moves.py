"""States: final ones stay final, money that may have moved is never declared unsent by a timer, tables are complete."""

from __future__ import annotations

from enum import StrEnum

import pytest

from billing.kernel.errors import Refused
from billing.kernel.moves import allowed, moves_from, require_move
from billing.kernel.status import (
    CLOSED_PAYMENT,
    OPEN_PAYMENT,
    EventStatus,
    InvoiceStatus,
    MethodStatus,
    OrderStatus,
    PaymentStatus,
    PayoutStatus,
    PeriodDisposition,
    SliceStatus,
    SubscriptionStatus,
    WorkItemStatus,
)

FINAL: list[tuple[type[StrEnum], set[str]]] = [
    (SubscriptionStatus, {"incomplete_expired", "canceled"}),
    (InvoiceStatus, {"void", "replaced", "expired", "credited", "refunded"}),
    (PaymentStatus, {"succeeded", "declined", "canceled"}),
    (PayoutStatus, {"failed", "canceled"}),
    (EventStatus, set()),
    (WorkItemStatus, {"resolved", "discarded"}),
    (MethodStatus, {"detached"}),
    (PeriodDisposition, {"empty", "skipped", "superseded"}),
    (SliceStatus, {"done", "split"}),
    (OrderStatus, {"done", "refused", "declined", "expired"}),
]


@pytest.mark.parametrize(("states", "final"), FINAL)
def test_exactly_these_states_are_final(states: type[StrEnum], final: set[str]) -> None:
    assert {str(state) for state in states if not moves_from(state)} == final


@pytest.mark.parametrize("states", [states for states, _ in FINAL])
def test_every_move_stays_among_the_states_of_its_noun_and_changes_something(states: type[StrEnum]) -> None:
    for state in states:
        assert all(type(target) is states for target in moves_from(state))
        assert state not in moves_from(state)


@pytest.mark.parametrize(
    ("states", "start"),
    [
        (SubscriptionStatus, {"incomplete", "trialing"}),
        (InvoiceStatus, {"draft"}),
        (PaymentStatus, {"prepared"}),
        (PayoutStatus, {"pending"}),
        (EventStatus, {"received"}),
        (WorkItemStatus, {"open"}),
        (MethodStatus, {"pending"}),
        (SliceStatus, {"pending"}),
        (OrderStatus, {"waiting"}),
    ],
)
def test_every_state_can_be_reached_from_where_rows_begin(states: type[StrEnum], start: set[str]) -> None:
    reached = {state for state in states if state in start}
    while more := {target for state in reached for target in moves_from(state)} - reached:
        reached |= {states(target) for target in more}
    assert reached == set(states)


@pytest.mark.parametrize(
    ("current", "target"),
    [
        (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.ACTIVE),
        (SubscriptionStatus.PAST_DUE, SubscriptionStatus.ACTIVE),
        (SubscriptionStatus.UNPAID, SubscriptionStatus.ACTIVE),
        (SubscriptionStatus.PAUSED, SubscriptionStatus.PAST_DUE),
        (InvoiceStatus.DRAFT, InvoiceStatus.EXPIRED),
        (InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.PAID),
        (PaymentStatus.SENT, PaymentStatus.UNKNOWN),
        (PaymentStatus.UNKNOWN, PaymentStatus.SUCCEEDED),
        (PaymentStatus.NOT_SENT, PaymentStatus.PREPARED),
        (EventStatus.DEAD, EventStatus.RECEIVED),
        (WorkItemStatus.PARKED, WorkItemStatus.OPEN),
    ],
)
def test_a_move_of_the_table_is_allowed(current: StrEnum, target: StrEnum) -> None:
    assert allowed(current, target)
    require_move(current, target)


@pytest.mark.parametrize(
    ("current", "target", "code"),
    [
        (SubscriptionStatus.CANCELED, SubscriptionStatus.ACTIVE, "subscription_move_not_allowed"),
        (SubscriptionStatus.TRIALING, SubscriptionStatus.PAST_DUE, "subscription_move_not_allowed"),
        (SubscriptionStatus.UNPAID, SubscriptionStatus.PAST_DUE, "subscription_move_not_allowed"),
        (InvoiceStatus.PAID, InvoiceStatus.VOID, "invoice_move_not_allowed"),
        (InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.VOID, "invoice_move_not_allowed"),
        (InvoiceStatus.OPEN, InvoiceStatus.DRAFT, "invoice_move_not_allowed"),
        (PaymentStatus.SUCCEEDED, PaymentStatus.DECLINED, "payment_move_not_allowed"),
        (PaymentStatus.UNKNOWN, PaymentStatus.PREPARED, "payment_move_not_allowed"),
        (PaymentStatus.PREPARED, PaymentStatus.SUCCEEDED, "payment_move_not_allowed"),
        (WorkItemStatus.RESOLVED, WorkItemStatus.OPEN, "work_item_move_not_allowed"),
        (MethodStatus.DETACHED, MethodStatus.ACTIVE, "payment_method_move_not_allowed"),
        (PeriodDisposition.SKIPPED, PeriodDisposition.BILLED, "billing_period_move_not_allowed"),
        (SliceStatus.DONE, SliceStatus.RUNNING, "slice_move_not_allowed"),
        (EventStatus.RECEIVED, EventStatus.PROCESSED, "event_move_not_allowed"),
    ],
)
def test_any_other_move_is_refused_by_the_nouns_code(current: StrEnum, target: StrEnum, code: str) -> None:
    assert not allowed(current, target)
    with pytest.raises(Refused) as caught:
        require_move(current, target)
    assert caught.value.code == code


def test_states_of_different_things_are_never_compared() -> None:
    current: StrEnum = SubscriptionStatus.ACTIVE
    with pytest.raises(TypeError):
        allowed(current, MethodStatus.DETACHED)


def test_an_attempt_is_open_or_closed_and_an_unknown_one_is_open() -> None:
    assert set(PaymentStatus) == OPEN_PAYMENT | CLOSED_PAYMENT
    assert not OPEN_PAYMENT & CLOSED_PAYMENT
    assert PaymentStatus.UNKNOWN in OPEN_PAYMENT
    assert {"succeeded", "declined", "canceled", "not_sent"} == CLOSED_PAYMENT
