"""The brakes: charging and issuing stop at once, nothing is lost by it, and starting again catches up."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows import braking, collection, drafts, renewal, resolution, upkeep
from billing.flows.charging import charge_once
from billing.flows.order import Order
from billing.kernel import failpoints
from billing.kernel.errors import Refused
from billing.models import AuditRecord, WorkItem
from billing.queries.brakes import BrakeKind
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL, TaskName
from tests.flows.company import START, Company

WHY = Order(actor="ada", reason="the prices look wrong")
COLLECT, ISSUE = BrakeKind.COLLECT, BrakeKind.ISSUE


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.delenv("BILLING_FAILPOINTS", raising=False)
    failpoints.read_environment()


def _charges(acme: Company) -> int:
    return sum(1 for _ in acme.witness.charges())


def test_nothing_is_charged_while_charging_is_stopped_and_all_of_it_once_it_is_started(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    braking.stop(acme.parts, COLLECT, order=WHY)
    acme.settle_under_a_brake()
    (invoice,) = acme.invoices()
    assert (invoice.status, invoice.next_attempt_at) == ("open", START)
    assert _charges(acme) == 0
    assert acme.violations() == ()

    braking.start(acme.parts, COLLECT, order=WHY)
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid"]
    assert _charges(acme) == 1
    assert acme.violations() == ()
    with acme.begin() as session:
        assert session.scalars(select(WorkItem.status)).all() == ["resolved"]
        of_brakes = select(AuditRecord).where(AuditRecord.subject_type == "brake").order_by(AuditRecord.id)
        trail = session.scalars(of_brakes).all()
    assert [(row.action, row.actor, row.reason) for row in trail] == [
        ("collect.stop", "ada", WHY.reason),
        ("collect.start", "ada", WHY.reason),
    ]


def test_an_attempt_that_was_opened_and_not_sent_is_put_back_and_sent_later_under_its_own_key(
    acme: Company, dying: pytest.MonkeyPatch
) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    dying.setenv("BILLING_FAILPOINTS", "charge.frozen=raise")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        acme.settle()
    (opened,) = acme.payments()
    assert opened.status == "prepared"
    braking.stop(acme.parts, COLLECT, order=WHY)
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.payment SET lease_until = clock_timestamp(), next_check_at = clock_timestamp()")
        )
    assert resolution.resolve(acme.parts) == 1
    (put_back,) = acme.payments()
    assert (put_back.status, put_back.reason, put_back.first_sent_at) == ("not_sent", "stopped_before_sending", None)
    assert acme.invoices()[0].next_attempt_at == START
    assert _charges(acme) == 0

    braking.start(acme.parts, COLLECT, order=WHY)
    acme.settle()
    (sent,) = acme.payments()
    assert (sent.id, sent.status) == (opened.id, "succeeded")
    assert [charge.key for charge in acme.witness.charges()] == [str(opened.id)]
    assert acme.violations() == ()


def test_a_slice_that_was_cut_before_the_brake_opens_nothing(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    renewal.bill(acme.parts, _take(acme, RENEWALS_BILL))
    slice_id = _take(acme, COLLECTIONS_CHARGE)
    braking.stop(acme.parts, COLLECT, order=WHY)
    assert collection.charge(acme.parts, slice_id) == 0
    assert acme.payments() == []
    braking.start(acme.parts, COLLECT, order=WHY)
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid"]


def test_a_key_whose_outcome_is_unknown_is_not_sent_again_while_charging_is_stopped(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    renewal.plan(acme.parts)
    acme.run_messages()
    (payment,) = acme.payments()
    assert payment.status == "unknown"
    braking.stop(acme.parts, COLLECT, order=WHY)
    acme.wait_for(lambda: resolution.resolve(acme.parts) == 1)
    assert acme.payments()[0].status == "unknown"
    assert _charges(acme) == 0
    braking.start(acme.parts, COLLECT, order=WHY)
    acme.settle()
    assert _charges(acme) == 1


def test_of_one_customer_only(acme: Company) -> None:
    stopped = acme.customer("a1")
    acme.customer("a2")
    for name in ("1", "2"):
        acme.subscribe(f"a{name}", f"s{name}")
    renewal.plan(acme.parts)
    braking.stop(acme.parts, COLLECT, profile_id=stopped, order=WHY)
    acme.settle_under_a_brake()
    (item,) = acme.work_items()
    assert f"customer {stopped} " in item.summary, "by an id that says nothing once they are forgotten"
    assert {invoice.profile_id: invoice.status for invoice in acme.invoices()}[stopped] == "open"
    assert sorted(invoice.status for invoice in acme.invoices()) == ["open", "paid"]
    assert not braking.start(acme.parts, COLLECT, order=WHY).changed, "a wider brake is another one"
    assert braking.start(acme.parts, COLLECT, profile_id=stopped, order=WHY).changed
    acme.settle()
    assert {invoice.status for invoice in acme.invoices()} == {"paid"}


def test_nothing_is_issued_while_issuing_is_stopped_and_the_missed_periods_once_it_is_started(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    braking.stop(acme.parts, ISSUE, seller_id=acme.seller_id, order=WHY)
    acme.set_clock(START + timedelta(days=60))
    acme.settle_under_a_brake()
    assert len(acme.invoices()) == 1
    assert acme.violations() == (), "R6 is excused by the brake with its work item"

    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET status = 'discarded', closed_at = clock_timestamp()"))
    assert {each.code for each in acme.violations()} == {"R6", "J7"}, "J7: who discarded it?"
    braking.start(acme.parts, ISSUE, seller_id=acme.seller_id, order=WHY)
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid"] * 3
    assert {each.code for each in acme.violations()} == {"J7"}, "the item that nobody says to have discarded"


def test_a_slice_that_was_cut_before_the_brake_bills_nobody_and_holds_nobody(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    braking.stop(acme.parts, ISSUE, order=WHY)
    acme.settle_under_a_brake()
    assert acme.invoices() == []
    assert [item.kind for item in acme.work_items()] == ["issuing_stopped"]
    braking.start(acme.parts, ISSUE, order=WHY)
    acme.settle()
    assert len(acme.invoices()) == 1


def test_what_a_person_would_issue_is_refused_meanwhile(acme: Company) -> None:
    profile = acme.customer("a1")
    braking.stop(acme.parts, ISSUE, order=WHY)
    with pytest.raises(Refused) as refused, acme.parts.begin() as session:
        charge_once(
            acme.parts, session, profile, amount_minor=500, currency="eur", description="Training", tax_rate=None
        )
    assert refused.value.code == "issuing_stopped"
    assert drafts.sweep(acme.parts) == 0


def test_stopping_twice_changes_nothing_and_a_dry_run_stops_nothing(acme: Company) -> None:
    assert braking.stop(acme.parts, COLLECT, order=Order("ada", "just trying", dry_run=True)).changed
    first = braking.stop(acme.parts, COLLECT, order=WHY)
    second = braking.stop(acme.parts, COLLECT, order=Order("bob", "again"))
    assert (first.changed, second.changed, second.subject_id) == (True, False, first.subject_id)
    assert second.told == "it is stopped already, by ada"


def test_of_two_who_stop_it_at_one_moment_the_second_finds_it_stopped(acme: Company) -> None:
    for customer in (acme.customer(f"a{number}", method=None) for number in range(5)):
        both = Barrier(2)

        def stop(actor: str, both: Barrier = both, customer: UUID = customer) -> bool:
            both.wait()
            return braking.stop(acme.parts, COLLECT, profile_id=customer, order=Order(actor, "a call at night")).changed

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(stop, ("ada", "bob"))) == [False, True]


def test_its_work_item_is_closed_by_the_sweep_where_a_person_retried_it(acme: Company) -> None:
    braking.stop(acme.parts, COLLECT, order=WHY)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.brake SET released_at = clock_timestamp()"))
    upkeep.close_gone_work(acme.parts)
    assert [item.status for item in acme.work_items()] == ["resolved"]


def _take(acme: Company, task: TaskName) -> UUID:
    """The id in the one message of this task; events may wait in the line beside it."""
    ((name, ids),) = [message for message in acme.line.messages if message[0] == task]
    acme.line.messages.remove((name, ids))
    return UUID(ids[0])
