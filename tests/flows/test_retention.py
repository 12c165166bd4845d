"""Retention: what is old is forgotten a batch at a time; what is young or still waits stays."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.retention.blank_bodies import blank_bodies
from billing.commands.retention.delete_notices import delete_notices
from billing.commands.work_item.raise_item import raise_item
from billing.flows import inbox, notices, retention, working
from billing.flows.order import Order
from billing.kernel.ids import new_id
from billing.kernel.status import EventStatus, OrderStatus
from billing.kernel.work import WorkKind
from billing.models import Operator, OperatorOrder, ProviderEvent, WorkItem
from billing.webhooks.door import take
from tests.flows.company import START, Company
from tests.flows.deliveries import deliveries, end_pauses, event_body
from tests.flows.handling import process


def _bodies(acme: Company) -> dict[str, bool]:
    with acme.begin() as session:
        return {event.event_ref: event.body is not None for event in session.scalars(select(ProviderEvent))}


def _facts(acme: Company) -> dict[str, tuple[object, ...]]:
    """What stays of each event."""
    with acme.begin() as session:
        events = session.scalars(select(ProviderEvent)).all()
    return {each.event_ref: (each.id, each.type, each.object_ref, each.body_hash, each.handled_at) for each in events}


def _stored(acme: Company, *refs: str) -> None:
    told = [event_body(acme, ref=ref, type_="some.new_thing") for ref in refs]
    assert {status for _, status in take(acme.parts, "stripe", "default", deliveries(acme, *told))} == {200}
    acme.settle()


def _move(acme: Company, **days: int) -> None:
    acme.set_clock(START + timedelta(**days))


def test_bodies_of_handled_events_are_blanked_after_ninety_days_and_the_rest_of_them_stays(acme: Company) -> None:
    _stored(acme, "evt_old", "evt_dead")
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.provider_event SET status = 'dead', error = 'x' WHERE event_ref = 'evt_dead'")
        )
        raise_item(
            session,
            kind=WorkKind.EVENT_NOT_HANDLED,
            subject_type="provider_event",
            subject_id=session.scalars(select(ProviderEvent.id).where(ProviderEvent.event_ref == "evt_dead")).one(),
            summary="An event could not be handled.",
            safe_actions=["retry", "park", "discard"],
            now=START,
        )
    before = _facts(acme)
    _move(acme, days=60)
    _stored(acme, "evt_young")
    _move(acme, days=90)
    assert retention.forget(acme.parts)["event_bodies"] == 0
    _move(acme, days=90, seconds=1)
    assert retention.forget(acme.parts)["event_bodies"] == 1
    assert _bodies(acme) == {"evt_old": False, "evt_dead": True, "evt_young": True}
    assert _facts(acme).items() >= before.items()
    again = deliveries(acme, event_body(acme, ref="evt_old", type_="some.new_thing"))
    assert [body["new"] for body, _ in take(acme.parts, "stripe", "default", again)] == [False]


def test_the_body_of_a_dead_event_goes_once_a_person_has_discarded_it(acme: Company) -> None:
    told = deliveries(acme, event_body(acme, ref="evt_dead", object_ref="pi_notThere"))
    assert {status for _, status in take(acme.parts, "stripe", "default", told)} == {200}
    with acme.parts.begin() as session:
        event_id = session.scalars(select(ProviderEvent.id).where(ProviderEvent.event_ref == "evt_dead")).one()
    for _ in range(inbox.MOST_TRIES):
        end_pauses(acme)
        process(acme.parts, event_id)
    (item,) = acme.work_items()
    _move(acme, days=200)
    assert retention.forget(acme.parts)["event_bodies"] == 0
    order = Order(actor="ada", reason="it is nothing")
    working.act(acme.parts, item.id, action=working.Action.DISCARD, order=order)
    assert retention.forget(acme.parts)["event_bodies"] == 1
    assert _bodies(acme) == {"evt_dead": False}


def test_an_event_without_its_body_is_handled_again_all_the_same(acme: Company) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET body = NULL, status = 'received', next_try_at = now()"))
        ids = list(session.scalars(select(ProviderEvent.id)))
    handled = inbox.process_all(acme.parts, *ids)
    assert set(handled.values()) <= {EventStatus.PROCESSED, EventStatus.IGNORED}
    assert acme.violations() == ()


def test_a_backlog_is_worked_off_a_batch_at_a_time(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    _stored(acme, *(f"evt_{number}" for number in range(7)))
    _move(acme, days=100)
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "BATCHES", 2)
    assert [retention.forget(acme.parts)["event_bodies"] for _ in range(3)] == [4, 3, 0]


def test_one_that_another_transaction_holds_waits_for_the_next_time(acme: Company) -> None:
    _stored(acme, "evt_one")
    with acme.parts.begin() as holding, acme.parts.begin() as session:
        holding.execute(text("SELECT FROM billing.provider_event FOR UPDATE"))
        assert blank_bodies(session, before=START + timedelta(days=1), most=9) == 0


def test_work_items_go_two_years_after_they_were_closed_and_open_ones_never(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.add_all(_item(number, status) for number, status in enumerate(("open", "resolved", "resolved")))
    _move(acme, days=730)
    assert retention.forget(acme.parts)["work_items"] == 0
    _move(acme, days=731)
    assert retention.forget(acme.parts)["work_items"] == 2
    assert [item.status for item in acme.work_items()] == ["open"]


def test_what_customers_were_told_goes_after_three_years_but_of_open_invoices_and_debits(acme: Company) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.customer("a2", method="pm_sandbox_sepa")
    acme.subscribe("a2", "s2")
    acme.settle()
    invoices = text("UPDATE billing.invoice SET status = :status, next_attempt_at = NULL")
    kinds = text("SELECT kind FROM billing.notice WHERE status <> 'waiting' ORDER BY kind")
    one_day = START + timedelta(days=9999)
    with acme.parts.begin() as session:
        session.execute(invoices, {"status": "uncollectible"})
        assert delete_notices(session, before=one_day, most=9) == 0, "they wait"
    notices.send(acme.parts)
    with acme.parts.begin() as session:
        assert session.scalars(kinds).all() == ["debit_upcoming", "payment_failed"]
        session.execute(invoices, {"status": "open"})
        assert delete_notices(session, before=one_day, most=9) == 0, "their invoices are open"
        session.execute(invoices, {"status": "uncollectible"})
        assert delete_notices(session, before=START, most=9) == 0, "they are young"
    assert retention.forget(acme.parts)["notices"] == 0
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.notice SET occurred_at = occurred_at - interval '1096 days'"))
    assert retention.forget(acme.parts)["notices"] == 1
    with acme.parts.begin() as session:
        assert session.scalars(kinds).all() == ["debit_upcoming"]


def test_orders_of_the_console_go_once_they_ended_long_ago(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.add(Operator(id=(ada := new_id()), name="ada", role="admin"))
        session.flush()
        session.add_all(_order(ada, status) for status in OrderStatus)
    made = text("UPDATE billing.operator_order SET created_at = now() - make_interval(days => :days)")
    with acme.parts.begin() as session:
        session.execute(made, {"days": 731})
    assert retention.forget(acme.parts)["orders"] == 0, "an id from today is no order of long ago"
    with acme.parts.begin() as session:
        for number, id_ in enumerate(session.scalars(select(OperatorOrder.id)).all()):
            as_of_long_ago = text("UPDATE billing.operator_order SET id = :new WHERE id = :id")
            session.execute(as_of_long_ago, {"id": id_, "new": UUID(int=number + 1)})
        session.execute(made, {"days": 729})
    assert retention.forget(acme.parts)["orders"] == 0, "whatever its id says"
    with acme.parts.begin() as session:
        session.execute(made, {"days": 731})
    assert retention.forget(acme.parts)["orders"] == 4
    with acme.begin() as session:
        assert set(session.scalars(select(OperatorOrder.status))) == {"waiting", "running", "unclear"}


def _order(by: UUID, status: OrderStatus) -> OperatorOrder:
    return OperatorOrder(
        id=new_id(), action="refund", subject_type="invoice", subject_id=UUID(int=1), facts={}, asked_by=by,
        reason="they asked", status=status, expires_at=START,
    )  # fmt: skip


def _item(number: int, status: str) -> WorkItem:
    return WorkItem(
        id=new_id(), kind="task_failed", subject_type="task", subject_id=UUID(int=number), summary="A task failed.",
        safe_actions=[], status=status, seen_at=START, closed_at=None if status == "open" else START,
    )  # fmt: skip


def test_a_fault_of_one_purge_keeps_no_other_from_its_turn(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    _stored(acme, "evt_one")
    _move(acme, days=100)
    monkeypatch.setattr(retention, "delete_work_items", None)
    with pytest.raises(ExceptionGroup):
        retention.forget(acme.parts)
    assert _bodies(acme) == {"evt_one": False}
