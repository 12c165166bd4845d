"""Events from the inbox: handled once, in any order, and given up only as somebody's work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select, text

from billing.flows import collection, inbox, renewal
from billing.flows.order import Order
from billing.flows.working import Action, act_on_all
from billing.kernel import failpoints
from billing.kernel.status import EventStatus
from billing.models import LedgerEntry, ProviderEvent, UnappliedPayment, WorkItem
from billing.providers.port import Provider
from billing.queries.operations.work import WorkFilter
from billing.sandbox.bench.counting import counting_statements
from billing.webhooks.door import take
from tests.flows.company import START, Company
from tests.flows.deliveries import deliveries, end_pauses, event_body, paid_unheard, post, signed, stored
from tests.flows.handling import process


def test_an_event_that_beats_our_own_record_settles_and_the_late_answer_is_dropped(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents"})
    with ThreadPoolExecutor(1) as other_worker:
        # It charges, and waits for an answer that never comes.
        charging = other_worker.submit(acme.run_messages)
        acme.wait_for(lambda: any(event.type == "payment_intent.succeeded" for event in stored(acme)))
        for event in stored(acme):
            process(acme.parts, event.id)
        assert not charging.done()
        assert acme.invoices()[0].status == "paid"
    (payment,) = acme.payments()
    assert (payment.status, payment.token) == ("succeeded", 2)
    with acme.begin() as session:
        assert len(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "payment")).all()) == 1


def test_a_failed_event_after_the_money_came_changes_nothing(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_declineThenSucceed")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=3))
    acme.settle()
    (invoice,) = acme.invoices()
    assert invoice.status == "paid"
    (intent,) = {intent.intent_ref for intent in acme.witness.intents()}
    raw = event_body(acme, ref="evt_late_failure", type_="payment_intent.payment_failed", object_ref=intent)
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    acme.settle()
    assert acme.invoices()[0].status == "paid"


def test_replaying_every_event_in_reverse_changes_nothing(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_declineThenSucceed")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=3))
    acme.settle()
    before = [(payment.id, payment.status, payment.charge_ref, payment.version) for payment in acme.payments()]
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.provider_event SET status = 'received', next_try_at = clock_timestamp(), tries = 0")
        )
    for event in reversed(stored(acme)):
        assert process(acme.parts, event.id) in (EventStatus.PROCESSED, EventStatus.IGNORED, None)
    assert [(payment.id, payment.status, payment.charge_ref, payment.version) for payment in acme.payments()] == before


def test_a_handler_that_always_fails_ends_as_a_work_item_and_a_replay_works_once(acme: Company) -> None:
    raw = event_body(acme, object_ref="pi_notThere")
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    (event,) = stored(acme)
    for _ in range(inbox.MOST_TRIES):
        assert process(acme.parts, event.id) is not None
        end_pauses(acme)
    with acme.begin() as session:
        item = session.scalars(select(WorkItem)).one()
    assert (item.kind, item.subject_id) == ("event_not_handled", event.id)
    assert stored(acme)[0].status == "dead"
    assert process(acme.parts, event.id) is None


def test_money_that_came_behind_our_back_settles_the_invoice_that_it_was_meant_for(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.pay_behind_our_back(profile)
    acme.settle()
    (invoice,) = acme.invoices()
    assert (invoice.status, invoice.next_attempt_at) == ("paid", None)
    assert [payment.status for payment in acme.payments()] == ["declined", "succeeded"]
    with acme.begin() as session:
        assert session.scalars(select(UnappliedPayment)).all() == []


def test_money_for_an_invoice_that_is_paid_already_is_kept_apart_and_shown(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.pay_by_hand()
    acme.pay_behind_our_back(profile)
    acme.settle()
    with acme.begin() as session:
        unapplied = session.scalars(select(UnappliedPayment)).one()
        item = session.scalars(select(WorkItem)).one()
    assert (unapplied.amount_minor, unapplied.status) == (1190, "held")
    assert (item.kind, item.amount_minor, item.currency) == ("payment_unapplied", 1190, "eur")


@pytest.mark.parametrize(
    ("method", "type_"),
    [
        ("pm_card_visa", "payment_intent.succeeded"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "payment_intent.payment_failed"),
    ],
)
def test_events_of_what_our_rows_show_are_closed_together_and_nothing_is_read(
    acme: Company, method: str, type_: str
) -> None:
    for number in range(4):
        acme.customer(f"a{number}", method=method)
        acme.subscribe(f"a{number}", f"s{number}")
    acme.settle()
    ended = [event.id for event in stored(acme) if event.type == type_]
    assert len(ended) == 4
    asked = len(list(acme.witness.requests()))
    counts = []
    for few in (ended[:1], ended):
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.provider_event SET status = 'received', next_try_at = now()"))
        with counting_statements() as sent:
            handled = inbox.process_all(acme.parts, *few)
        assert handled == dict.fromkeys(few, EventStatus.PROCESSED)
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert len(list(acme.witness.requests())) == asked


def _declined(acme: Company) -> ProviderEvent:
    """The event of a charge that was declined and is recorded."""
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    acme.run_messages()
    collection.plan(acme.parts)
    acme.run_messages()
    acme.wait_for(lambda: any(event.type == "payment_intent.payment_failed" for event in stored(acme)))
    acme.settle()
    (event,) = [event for event in stored(acme) if event.type == "payment_intent.payment_failed"]
    return event


def test_a_decline_that_our_rows_show_is_not_read_again(acme: Company) -> None:
    event = _declined(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received'"))
    asked = len(list(acme.witness.requests()))
    assert process(acme.parts, event.id) is EventStatus.PROCESSED
    assert len(list(acme.witness.requests())) == asked
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received'"))
        session.execute(text("UPDATE billing.payment SET charge_ref = 'ch_another'"))
    assert process(acme.parts, event.id) is EventStatus.PROCESSED
    assert len(list(acme.witness.requests())) == asked + 1


def test_a_decline_without_a_charge_is_read_though_another_one_without_is_recorded(acme: Company) -> None:
    event = _declined(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received', charge_ref = NULL"))
        session.execute(text("UPDATE billing.payment SET charge_ref = NULL"))
    asked = len(list(acme.witness.requests()))
    assert process(acme.parts, event.id) is EventStatus.PROCESSED
    assert len(list(acme.witness.requests())) == asked + 1


def test_an_event_that_kills_its_worker_uses_up_no_other_events_try(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        acme.customer(f"a{number}", method="pm_card_visa_chargeDeclinedInsufficientFunds")
        acme.subscribe(f"a{number}", f"s{number}")
    acme.settle()
    failed = [event.id for event in stored(acme) if event.type == "payment_intent.payment_failed"]
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received', tries = 0, next_try_at = now()"))
        session.execute(text("UPDATE billing.provider_event SET charge_ref = NULL"))
    monkeypatch.setenv("BILLING_FAILPOINTS", "event.claimed=raise")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        inbox.process_all(acme.parts, *failed)
    monkeypatch.delenv("BILLING_FAILPOINTS")
    failpoints.read_environment()
    tries = {event.id: event.tries for event in stored(acme) if event.id in failed}
    assert [tries[event] for event in failed] == [1, 0, 0]


def test_an_intent_that_another_made_for_the_invoice_is_no_answer_to_our_attempt(acme: Company) -> None:
    profile = acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents", "ms": 0})
    renewal.plan(acme.parts)
    acme.run_messages()
    (attempt,) = acme.payments()
    assert attempt.status == "unknown"
    copied = {
        "amount": attempt.amount_minor,
        "currency": attempt.currency,
        "customer": acme.customer_ref(profile),
        "payment_method": attempt.method_ref,
        "confirm": "true",
        "off_session": "true",
        "metadata[invoice_id]": str(attempt.invoice_id),
        "metadata[payment_id]": str(uuid4()),
    }
    key = {"Authorization": "Bearer sk_test_company"}
    requests.post(f"{acme.witness_url}/v1/payment_intents", data=copied, headers=key, timeout=5).raise_for_status()
    acme.wait_for(lambda: any(event.type == "payment_intent.succeeded" for event in stored(acme)))
    for event in stored(acme):
        process(acme.parts, event.id)
    assert [(each.status, each.charge_ref) for each in acme.payments()] == [("unknown", None)]


def test_twin_events_of_one_object_have_one_effect(acme: Company) -> None:
    intent = paid_unheard(acme)
    twins = [event_body(acme, ref=f"evt_twin{number}", object_ref=intent) for number in range(2)]
    assert [status for _, status in take(acme.parts, "stripe", "default", deliveries(acme, *twins))] == [200, 200]
    acme.settle()
    assert acme.invoices()[0].status == "paid"
    assert [event.status for event in stored(acme) if event.event_ref.startswith("evt_twin")] == ["processed"] * 2
    with acme.begin() as session:
        assert len(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "payment")).all()) == 1


def test_an_event_that_was_given_up_is_handled_once_when_it_is_replayed_after_the_mend(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = paid_unheard(acme)
    take(acme.parts, "stripe", "default", deliveries(acme, event_body(acme, ref="evt_dead", object_ref=intent)))
    (event,) = [event for event in stored(acme) if event.event_ref == "evt_dead"]
    provider_for = acme.parts.provider_for

    def broken(_provider: str, _code: str) -> Provider:
        raise RuntimeError("a fault of ours")

    acme.parts = replace(acme.parts, provider_for=broken)
    for _ in range(inbox.MOST_TRIES):
        process(acme.parts, event.id)
        end_pauses(acme)
    (item,) = [item for item in acme.work_items() if item.subject_id == event.id]
    assert (item.kind, item.status) == ("event_not_handled", "open")
    assert "RuntimeError" in (item.trace or "")
    acme.parts = replace(acme.parts, provider_for=provider_for)
    order = Order(actor="test", reason="mended")
    for done in (1, 2):
        answers = list(act_on_all(acme.parts, WorkFilter(), action=Action.RETRY, order=order))
        acme.settle()
        assert len(answers) == (1 if done == 1 else 0)
    assert acme.invoices()[0].status == "paid"
    with acme.begin() as session:
        assert len(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "payment")).all()) == 1
        assert session.get_one(WorkItem, item.id).status == "resolved"
