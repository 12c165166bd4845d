"""Refunding: never more than was paid, sent once whatever happens, and what can't go back is owed and seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from billing.commands.credit.grant import grant_credit
from billing.commands.refund.record import note_facts
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing
from billing.flows.refunding import refund
from billing.kernel.errors import Refused
from billing.models import Invoice, Refund
from billing.providers.port import RefundFacts
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company
from tests.flows.refunds import ask_again, at_provider, books, paid_invoice, sent, tell

HALF = START + timedelta(days=14)


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    return paid_invoice(acme)


def _refusal(acme: Company, invoice_id: UUID, amount_minor: int | None = None) -> str:
    before = len(acme.invoices())
    with pytest.raises(Refused) as refusal:
        refund(acme.parts, invoice_id, amount_minor=amount_minor)
    assert len(acme.invoices()) == before
    return refusal.value.code


def _notes(acme: Company) -> list[Invoice]:
    return [each for each in acme.invoices() if each.status == "refunded"]


def test_a_full_refund_is_a_note_and_one_refund_at_the_provider(acme: Company, paid: Invoice) -> None:
    refunded = refund(acme.parts, paid.id)
    assert (refunded.amount_minor, refunded.note.number) == (1190, "ACME-CN-000001")
    assert [(row.status, row.amount_minor) for row in acme.refunds()] == [("pending", 1190)]
    assert books(acme) == (-1190, 1190)
    acme.settle()
    invoice, note = acme.invoices()
    assert (invoice.status, invoice.amount_paid_minor, invoice.amount_refunded_minor) == ("paid", 1190, 1190)
    assert (note.kind, note.status, note.corrects_id) == ("credit_note", "refunded", invoice.id)
    assert (note.subtotal_minor, note.tax_minor, note.total_minor) == (1000, 190, 1190)
    assert acme.lines(note) == []
    (row,) = acme.refunds()
    assert (row.status, row.credit_note_id, row.closed_at) == ("succeeded", note.id, START)
    assert [(each.refund_ref, each.metadata_refund) for each in at_provider(acme)] == [(row.refund_ref, str(row.id))]
    assert sent(acme) == [(f"refund-{row.id}", "executed")]
    assert [acme.account(name) for name in ("receivable", "deferred_revenue", "tax_payable")] == [0, 0, 0]
    assert books(acme) == (0, 0)
    assert acme.credit(invoice.profile_id) == 0
    assert [payload["status"] for _, payload in acme.told("refund.updated")] == ["succeeded"]
    assert acme.violations() == ()


def test_parts_add_up_to_the_invoice_and_its_tax_and_never_to_more(acme: Company, paid: Invoice) -> None:
    for amount in (333, 333):
        refund(acme.parts, paid.id, amount_minor=amount)
    assert _refusal(acme, paid.id, 525) == "refund_exceeds_paid"
    assert refund(acme.parts, paid.id).amount_minor == 524
    assert _refusal(acme, paid.id) == "refund_exceeds_paid"
    assert _refusal(acme, paid.id, 1) == "refund_exceeds_paid"
    acme.settle()
    assert [(note.total_minor, note.tax_minor) for note in _notes(acme)] == [(333, 53), (333, 53), (524, 84)]
    assert sum(note.subtotal_minor for note in _notes(acme)) == 1000
    assert sum(each.amount_minor for each in at_provider(acme)) == 1190
    assert acme.invoices()[0].amount_refunded_minor == 1190
    assert acme.violations() == ()


@pytest.mark.parametrize(("amount", "code"), [(0, "out_of_range"), (-1, "out_of_range"), (1191, "refund_exceeds_paid")])
def test_an_amount_that_was_not_paid_does_not_go_back(acme: Company, paid: Invoice, amount: int, code: str) -> None:
    assert _refusal(acme, paid.id, amount) == code
    assert acme.refunds() == []


def test_only_what_came_through_the_provider_goes_back(acme: Company) -> None:
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=500, currency="eur", now=START)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    assert _refusal(acme, invoice.id, 691) == "refund_exceeds_paid"
    assert refund(acme.parts, invoice.id).amount_minor == 690
    acme.settle()
    assert acme.credit(profile) == 0
    assert acme.violations() == ()


def test_what_a_change_has_credited_already_does_not_go_back(acme: Company, paid: Invoice) -> None:
    acme.set_clock(HALF)
    assert paid.subscription_id is not None
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, paid.subscription_id, items=[NewItem("basic", 2)])
    with pytest.raises(Refused) as refused:
        refund(acme.parts, paid.id, amount_minor=596)
    assert refused.value.faults[0].mend == (
        "at most 5.95 EUR can go back: what was paid, less what was refunded or credited"
        " (of 11.90 EUR, 5.95 EUR were credited for unused time by the next invoice)"
    )
    assert refund(acme.parts, paid.id).amount_minor == 595
    acme.settle()
    assert acme.violations() == ()


def test_what_was_refunded_is_not_creditedask_again(acme: Company, paid: Invoice) -> None:
    acme.set_clock(HALF)
    refund(acme.parts, paid.id, amount_minor=595)
    assert paid.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, paid.subscription_id, when=CancelWhen.NOW, prorate=True)
    (note,) = [each for each in acme.invoices() if each.status == "credited"]
    assert note.subtotal_minor == 250, "half of the half that was left"
    acme.settle()
    assert acme.violations() == ()


def test_what_is_open_or_a_note_or_unknown_is_not_refunded(acme: Company) -> None:
    acme.customer("a1", method="pm_card_chargeCustomerFail")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert _refusal(acme, acme.invoices()[0].id) == "refund_exceeds_paid"
    with pytest.raises(Refused, match=r"nothing is paid on it; `billing invoice void` takes it back"):
        refund(acme.parts, acme.invoices()[0].id)
    assert _refusal(acme, uuid4()) == "invoice_not_found"
    acme.give_method(acme.invoices()[0].profile_id, "pm_card_visa")
    acme.settle()
    refund(acme.parts, acme.invoices()[0].id)
    assert _refusal(acme, _notes(acme)[0].id) == "refund_exceeds_paid"


def test_of_two_at_once_one_is_refused(acme: Company, paid: Invoice) -> None:
    def attempt(_: int) -> str:
        try:
            refund(acme.parts, paid.id, amount_minor=1000)
        except Refused as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == ["done", "refund_exceeds_paid"]
    acme.settle()
    assert [each.amount_minor for each in at_provider(acme)] == [1000]
    assert acme.violations() == ()


def test_a_refund_that_takes_days_is_asked_about_and_booked_when_it_has_arrived(acme: Company) -> None:
    invoice = paid_invoice(acme, "pm_card_pendingRefund")
    refund(acme.parts, invoice.id)
    acme.settle()
    (row,) = acme.refunds()
    assert (row.status, row.refund_ref is not None) == ("pending", True)
    assert row.next_check_at is not None
    assert row.next_check_at > datetime.now(UTC) + timedelta(minutes=50)
    assert books(acme) == (-1190, 1190)
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["succeeded"])
    ask_again(acme)
    assert (acme.refunds()[0].status, books(acme)) == ("succeeded", (0, 0))
    assert len(sent(acme)) == 1
    assert acme.violations() == ()


def test_a_refund_that_waited_for_the_customers_bank_account_goes_on_and_holds_up_no_other(acme: Company) -> None:
    invoice = paid_invoice(acme, "pm_card_pendingRefund")
    for _ in range(2):
        refund(acme.parts, invoice.id, amount_minor=500)
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.refund SET status = 'requires_action'"))
    ask_again(acme)
    assert [each.status for each in acme.refunds()] == ["pending", "pending"]
    assert acme.violations() == ()


def test_a_refund_that_fails_is_owed_in_the_books_and_a_persons_work(acme: Company, paid: Invoice) -> None:
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refund(acme.parts, paid.id)
    acme.settle()
    acme.witness.call("POST", f"refunds/{acme.refunds()[0].refund_ref}", {"status": "failed"})
    ask_again(acme)
    (row,) = acme.refunds()
    assert (row.status, row.reason, row.next_check_at) == ("failed", "expired_or_canceled_card", None)
    assert books(acme) == (-1190, 1190)
    (item,) = acme.work_items()
    assert (item.kind, item.status, item.subject_id, item.amount_minor) == ("refund_failed", "open", row.id, 1190)
    assert [payload["status"] for _, payload in acme.told("refund.updated")] == ["failed"]
    assert len(_notes(acme)) == 1, "the note stands"
    assert _refusal(acme, paid.id) == "refund_exceeds_paid"
    assert acme.violations() == ()


def test_a_refund_that_a_bank_sends_back_later_is_owedask_again(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.settle()
    (row,) = acme.refunds()
    assert row.refund_ref is not None
    facts = RefundFacts(
        refund_ref=row.refund_ref,
        status="failed",
        amount_minor=1190,
        currency="eur",
        charge_ref=row.charge_ref,
        metadata_refund=str(row.id),
        failure_reason="lost_or_stolen_card",
    )
    with acme.parts.begin() as session:
        locked = session.get_one(Refund, row.id, with_for_update=True)
        note_facts(session, refund=locked, facts=facts, now=START, wall=datetime.now(UTC))
    assert (acme.refunds()[0].status, books(acme)) == ("failed", (-1190, 1190))
    assert [item.kind for item in acme.work_items()] == ["refund_failed"]


def test_a_refund_that_the_provider_cancels_is_owed_in_the_books_and_a_persons_work(
    acme: Company, paid: Invoice
) -> None:
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refund(acme.parts, paid.id)
    acme.settle()
    (row,) = acme.refunds()
    (facts,) = at_provider(acme)
    with acme.parts.begin() as session:
        locked = session.get_one(Refund, row.id, with_for_update=True)
        note_facts(session, refund=locked, facts=replace(facts, status="canceled"), now=START, wall=datetime.now(UTC))
    assert (acme.refunds()[0].status, books(acme)) == ("canceled", (-1190, 1190))
    (item,) = acme.work_items()
    assert (item.kind, item.status, item.subject_id, item.amount_minor) == ("refund_failed", "open", row.id, 1190)
    assert "canceled" in item.summary


def test_that_a_refund_failed_after_it_had_succeeded_is_learnt(acme: Company) -> None:
    invoice = paid_invoice(acme, "pm_card_refundFail")
    refund(acme.parts, invoice.id)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["failed"])
    acme.settle()
    assert acme.refunds()[0].status == "failed"


@pytest.mark.parametrize("type_", ["charge.refunded", "charge.refund.updated"])
def test_older_names_of_a_refunds_events_tell_the_same(acme: Company, paid: Invoice, type_: str) -> None:
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refund(acme.parts, paid.id)
    acme.settle()
    (row,) = acme.refunds()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.witness.call("POST", f"refunds/{row.refund_ref}", {"status": "succeeded"})
    tell(acme, type_, row.charge_ref if type_ == "charge.refunded" else row.refund_ref or "")
    acme.settle()
    assert (acme.refunds()[0].status, books(acme)) == ("succeeded", (0, 0))
    asked = len(list(acme.witness.requests()))
    tell(acme, "charge.refunded", row.charge_ref)
    acme.settle()
    assert len(list(acme.witness.requests())) == asked, "nothing of ours is on its way"
    assert acme.violations() == ()
