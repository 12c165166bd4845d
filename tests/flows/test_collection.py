"""Charging: each kind of card, each kind of fault, and never a second charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.payment.open import open_payments
from billing.commands.payment.send import mark_sent
from billing.db.clock import wall_now
from billing.flows import operating, renewal, resolution, sellers
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.flows.sending import Attempt, call, write_answers
from billing.models import Invoice, WorkItem
from billing.providers.port import ChargeOutcome, Outcome
from billing.queries.collection import load_due
from billing.queue.names import RENEWALS_BILL
from billing.rules.rate import Rank
from billing.sandbox.bench.counting import counting_statements
from billing.validators.seller import NewSeller, SellerChange
from tests.flows.company import START, Company

ORDER = Order(actor="mara", reason="a shorter schedule")


def _charged(acme: Company) -> int:
    return sum(charge.amount_minor for charge in acme.witness.charges() if charge.status == "succeeded")


def test_a_declined_card_is_tried_again_on_schedule_and_then_the_subscription_is_canceled(acme: Company) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    assert acme.subscription(subscription).status == "past_due"
    now = START
    for delay in (3, 5, 7):
        now += timedelta(days=delay)
        acme.set_clock(now)
        acme.settle()
    invoice = acme.invoices()[0]
    attempts = acme.payments(invoice)
    assert [attempt.opened_at for attempt in attempts] == [
        START,
        START + timedelta(days=3),
        START + timedelta(days=8),
        START + timedelta(days=15),
    ]
    assert {attempt.status for attempt in attempts} == {"declined"}
    assert len({attempt.payment_intent_id for attempt in attempts}) == 1
    charges = [attempt.charge_ref for attempt in attempts]
    assert len(set(charges)) == 4
    assert [attempt.noted_charge_ref for attempt in attempts] == [None, *charges[:-1]], "the one before (DECISIONS 19)"
    assert (invoice.status, invoice.final_decision, invoice.next_attempt_at) == ("open", "cancel", None)
    assert acme.subscription(subscription).status == "canceled"
    assert _charged(acme) == 0


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_schedule_that_is_shortened_ends_for_what_is_further_along_in_the_longer_one(
    acme: Company, *, by_hand: bool
) -> None:
    acme.customer("a1", method="pm_card_chargeDeclined")
    subscription_id = acme.subscribe("a1", "s1")
    acme.settle()
    for day in (4, 10):
        acme.set_clock(START + timedelta(days=day))
        acme.settle()
    (invoice,) = acme.invoices()
    assert (invoice.dunning_step, invoice.final_decision) == (2, None)
    sellers.change(acme.parts, acme.seller_id, order=ORDER, wanted=_with_one_retry)
    if by_hand:
        operating.retry_invoice(acme.parts, invoice.id, order=ORDER)
        acme.settle()
    acme.set_clock(START + timedelta(days=20))
    acme.settle()
    (invoice,) = acme.invoices()
    assert (invoice.next_attempt_at, invoice.final_decision) == (None, "cancel")
    assert acme.subscription(subscription_id).status == "canceled"
    assert len(acme.payments()) == 4
    assert acme.violations() == ()


def _with_one_retry(before: NewSeller) -> SellerChange:
    policy = replace(before.policy, dunning_retries=(timedelta(days=1),))
    return SellerChange(before.legal_name, before.timezone, before.address, before.tax_id, policy)


def test_after_a_hard_decline_the_schedule_counts_on_without_charging(acme: Company) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedLostCard")
    acme.subscribe("a1", "s1")
    acme.settle()
    for days in (3, 8, 15):
        acme.set_clock(START + timedelta(days=days))
        acme.settle()
    invoice = acme.invoices()[0]
    assert len(acme.payments(invoice)) == 1
    assert invoice.final_decision == "cancel"


def test_a_customer_without_a_method_is_dunned_without_an_attempt(acme: Company) -> None:
    acme.customer("a1", method=None)
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    invoice = acme.invoices()[0]
    assert acme.payments(invoice) == []
    assert invoice.next_attempt_at == START + timedelta(days=3)
    assert acme.subscription(subscription).status == "past_due"


def test_a_new_default_method_is_tried_at_once_and_the_subscription_recovers(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=1))
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    invoice = acme.invoices()[0]
    assert [attempt.status for attempt in acme.payments(invoice)] == ["declined", "succeeded"]
    assert (invoice.status, invoice.dunning_step) == ("paid", 0)
    assert acme.subscription(subscription).status == "active"
    assert _charged(acme) == 1190


def test_what_the_provider_is_at_for_weeks_becomes_a_persons_work(acme: Company) -> None:
    acme.witness.call("POST", "config", {"processing_s": 40 * 86_400})
    acme.customer("a1", method="pm_sandbox_processing")
    acme.subscribe("a1", "s1", start=START)
    acme.settle_under_a_brake()
    for day, told in ((20, []), (21, ["payment_unknown"])):
        acme.set_clock(START + timedelta(days=day))
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp()"))
        resolution.resolve(acme.parts)
        assert [each.kind for each in acme.work_items()] == told
    acme.set_clock(START + timedelta(days=40))
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp()"))
    acme.settle_under_a_brake()
    assert ([each.status for each in acme.work_items()], acme.invoices()[0].status) == (["resolved"], "paid")


@pytest.mark.parametrize(
    "method", ["pm_sandbox_processingError", "pm_sandbox_timeoutAfterCharge", "pm_sandbox_timeoutBeforeCharge"]
)
def test_an_unclear_first_answer_ends_as_one_payment_under_one_key(acme: Company, method: str) -> None:
    acme.customer("a1", method=method)
    acme.subscribe("a1", "s1")
    acme.settle()
    invoice = acme.invoices()[0]
    assert [attempt.status for attempt in acme.payments(invoice)] == ["succeeded"]
    assert invoice.status == "paid"
    assert _charged(acme) == 1190


@pytest.mark.parametrize(
    "kind", ["timeout_before", "timeout_after", "disconnect_after", "error_500_before", "error_500_after", "rate_limit"]
)
def test_a_fault_of_the_line_never_charges_twice_and_never_loses_the_charge(acme: Company, kind: str) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": kind, "next": 1, "path": "/v1/payment_intents"})
    acme.settle(seconds=20)
    invoice = acme.invoices()[0]
    assert invoice.status == "paid"
    assert _charged(acme) == 1190
    assert acme.payments(invoice)[-1].status == "succeeded"


@pytest.mark.parametrize("kind", ["timeout_after", "error_500_before", "error_500_after"])
def test_a_fault_on_a_later_confirm_never_charges_twice(acme: Company, kind: str) -> None:
    acme.customer("a1", method="pm_sandbox_declineThenSucceed")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.witness.add_faults({"kind": kind, "next": 1, "path": "/v1/payment_intents"})
    acme.set_clock(START + timedelta(days=3))
    acme.settle(seconds=20)
    invoice = acme.invoices()[0]
    assert invoice.status == "paid"
    assert _charged(acme) == 1190
    assert len({intent.intent_ref for intent in acme.witness.intents()}) == 1


def test_a_payment_that_is_processing_for_days_is_waited_for(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_processing")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert acme.payments()[0].status == "processing"
    acme.set_clock(datetime(2026, 2, 5, tzinfo=UTC))
    acme.settle()
    acme.settle()
    assert [attempt.status for attempt in acme.payments()] == ["succeeded"]
    assert acme.invoices()[0].status == "paid"
    assert _charged(acme) == 1190


def test_an_intent_that_the_provider_canceled_gets_a_successor_and_the_invoice_is_paid_once(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.limit_confirms(1)
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    invoice = acme.invoices()[0]
    assert invoice.status == "paid"
    assert [attempt.status for attempt in acme.payments(invoice)] == ["declined", "canceled", "succeeded"]
    assert sorted(intent.status for intent in acme.witness.intents()) == ["canceled", "succeeded"]
    assert _charged(acme) == 1190


def test_a_key_refused_by_the_provider_uses_up_no_attempt_and_opens_one_work_item(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.revoke_key()
    renewal.plan(acme.parts)
    acme.run_messages()
    (attempt,) = acme.payments()
    assert (attempt.status, attempt.first_sent_at) == ("not_sent", START)
    with acme.begin() as session:
        item = session.scalars(select(WorkItem)).one()
    assert item.kind == "provider_refuses_account"
    acme.restore_key()
    acme.settle()
    (again,) = acme.payments()
    assert (again.id, again.status) == (attempt.id, "succeeded")
    assert acme.invoices()[0].dunning_step == 0


def test_what_was_not_sent_is_not_sent_again_for_more_than_is_still_owed(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.revoke_key()
    renewal.plan(acme.parts)
    acme.run_messages()
    assert [(each.status, each.amount_minor) for each in acme.payments()] == [("not_sent", 1190)]
    mark_paid(acme.parts, acme.invoices()[0].id, amount_minor=400, reference="by bank")
    acme.restore_key()
    acme.settle()
    assert [(each.status, each.amount_minor) for each in acme.payments()] == [("not_sent", 1190), ("succeeded", 790)]
    assert (_charged(acme), acme.invoices()[0].status) == (790, "paid")


def test_a_key_older_than_its_life_is_never_sent_again_and_two_complete_lists_prove_absence(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents"})
    renewal.plan(acme.parts)
    acme.run_messages()
    (attempt,) = acme.payments()
    assert attempt.status == "unknown"
    acme.set_clock(START + timedelta(hours=25))
    acme.settle()
    first, second = acme.payments()
    assert (first.id, first.status, first.reason) == (attempt.id, "canceled", "proven_absent")
    assert (second.status, acme.invoices()[0].status) == ("succeeded", "paid")
    keys = [request.key for request in acme.witness.requests() if request.path == "/v1/payment_intents" and request.key]
    assert keys.count(str(attempt.id)) == 1
    assert _charged(acme) == 1190


def test_an_unknown_that_did_charge_is_found_after_its_key_has_died(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents"})
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1.0})
    renewal.plan(acme.parts)
    acme.run_messages()
    acme.set_clock(START + timedelta(days=4))
    acme.settle()
    (attempt,) = acme.payments()
    assert attempt.status == "succeeded"
    assert _charged(acme) == 1190


@pytest.mark.parametrize(("sent_before", "outcome"), [(False, Outcome.NOT_SENT), (True, Outcome.UNKNOWN)])
def test_what_was_held_for_too_long_is_sent_no_more(acme: Company, outcome: Outcome, *, sent_before: bool) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    ((_, ids),) = [each for each in acme.line.messages if each[0] == RENEWALS_BILL]
    renewal.bill(acme.parts, UUID(ids[0]))
    with acme.parts.begin() as session:
        due = load_due(session, invoices=session.scalars(select(Invoice.id)).all(), now=START)
        (payment,) = open_payments(session, due, now=START, wall=wall_now(session), lease_s=60).payments
    provider = acme.parts.provider(payment.provider_account_id, rank=Rank.CHARGES)
    late = call(provider, None, Attempt.of(payment, sent_before=sent_before, lease_s=0), START)
    assert (late.outcome, late.reason) == (outcome, "hold_over")
    assert _charged(acme) == 0
    in_time = call(provider, None, Attempt.of(payment, sent_before=sent_before, lease_s=60), START)
    assert in_time.outcome is Outcome.SUCCEEDED
    assert _charged(acme) == 1190


def test_answers_that_come_together_are_written_in_as_many_statements_as_one(acme: Company) -> None:
    counts = []
    for size in (1, 6):
        for number in range(size):
            acme.customer(f"a{size}{number}")
            acme.subscribe(f"a{size}{number}", f"s{size}{number}")
        renewal.plan(acme.parts)
        for task, ids in list(acme.line.messages):
            if task == RENEWALS_BILL:
                renewal.bill(acme.parts, UUID(ids[0]))
        acme.line.messages.clear()
        with acme.parts.begin() as session:
            rows = session.scalars(select(Invoice.id).where(Invoice.status == "open")).all()
            due = load_due(session, invoices=rows, now=START)
            opened = open_payments(session, due, now=START, wall=wall_now(session), lease_s=60)
            mark_sent(session, [(each.id, each.token) for each in opened.payments], now=START)
        answers = [
            (
                Attempt.of(each, sent_before=False, lease_s=60),
                ChargeOutcome(Outcome.SUCCEEDED, intent_ref=f"pi_{each.id.hex}", charge_ref=f"ch_{each.id.hex}"),
            )
            for each in opened.payments
        ]
        assert len(answers) == size
        with counting_statements() as sent:
            write_answers(acme.parts, answers)
        counts.append(len(sent))
        assert {invoice.status for invoice in acme.invoices()} == {"paid"}
    assert counts[0] == counts[1]
