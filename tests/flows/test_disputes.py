"""Disputes: what a bank takes is booked once, refunds and charges wait, and a loss is decided on by a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.commands.dispute.record import note_dispute
from billing.flows import disputing
from billing.flows.crediting import credit
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.flows.refunding import refund
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import Dispute, FraudWarning, Invoice
from tests.flows.company import START, Company
from tests.flows.refunds import paid_invoice

ORDER = Order(actor="mara", reason="the bank's letter")


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    return paid_invoice(acme)


def _open(acme: Company, **given: Any) -> str:
    """A dispute of the one charge. Returns the provider's id of it."""
    (charge,) = acme.witness.charges()
    opened = acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, **given})
    acme.settle()
    return str(opened["id"])


def _end(acme: Company, ref: str, status: str) -> None:
    acme.witness.call("POST", f"disputes/{ref}/close", {"status": status})
    acme.settle()


def _told(acme: Company, ref: str, **given: Any) -> None:
    """The provider shows the dispute so."""
    facts = replace(acme.parts.provider(acme.account_id).read_dispute(ref), due_by=None, **given)
    with acme.parts.begin() as session:
        row = session.scalars(select(Dispute)).one()
        invoice = session.get_one(Invoice, row.invoice_id)
        note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=START)


def _accused(acme: Company) -> list[str]:
    """What the audit finds wrong in the books."""
    return [each.detail for each in acme.violations() if each.code.startswith("L")]


def _dispute(acme: Company) -> Dispute:
    with acme.begin() as session:
        return session.scalars(select(Dispute)).one()


def _books(acme: Company) -> dict[str, int]:
    names = ("provider_clearing", "disputes", "receivable", "write_off", "exchange_differences")
    return {name: amount for name in names if (amount := acme.account(name))}


def _work(acme: Company) -> list[tuple[str, str]]:
    return [(item.kind, item.status) for item in acme.work_items()]


def _refusal(acme: Company, invoice: Invoice) -> str:
    with pytest.raises(Refused) as refusal:
        refund(acme.parts, invoice.id)
    return refusal.value.code


def test_an_open_dispute_holds_the_money_bars_refunds_and_is_a_persons_work(acme: Company, paid: Invoice) -> None:
    ref = _open(acme)
    row = _dispute(acme)
    assert (row.dispute_ref, row.status, row.amount_minor, row.currency) == (ref, "needs_response", 1190, "eur")
    assert (row.invoice_id, row.withdrawn_minor, row.reopened_minor) == (paid.id, 1190, 0)
    assert row.due_by == row.opened_at + timedelta(days=7)
    assert _books(acme) == {"disputes": 1190}
    (item,) = acme.work_items()
    assert (item.kind, item.status, item.amount_minor, item.next_try_at) == (
        "dispute_needs_response",
        "open",
        1190,
        row.due_by,
    )
    assert _refusal(acme, paid) == "charge_disputed"
    assert acme.invoices()[0].status == "paid"
    assert [payload["status"] for _, payload in acme.told("dispute.updated")] == ["needs_response"]
    assert acme.violations() == ()


def test_a_dispute_won_puts_it_back(acme: Company, paid: Invoice) -> None:
    _end(acme, _open(acme), "won")
    assert (_dispute(acme).status, _books(acme)) == ("won", {"provider_clearing": 1190})
    assert _work(acme) == [("dispute_needs_response", "resolved")]
    assert refund(acme.parts, paid.id).amount_minor == 1190
    acme.settle()
    assert acme.violations() == ()


def test_a_dispute_lost_is_owed_again_and_not_charged_or_refunded(acme: Company, paid: Invoice) -> None:
    _end(acme, _open(acme), "lost")
    assert (_dispute(acme).status, _dispute(acme).reopened_minor) == ("lost", 1190)
    assert _books(acme) == {"receivable": 1190}
    assert (acme.invoices()[0].status, acme.invoices()[0].next_attempt_at) == ("paid", None)
    assert _work(acme) == [("dispute_needs_response", "resolved"), ("dispute_lost", "open")]
    assert _refusal(acme, paid) == "refund_exceeds_paid"
    assert acme.violations() == ()


def test_a_loss_is_written_off_once(acme: Company, paid: Invoice) -> None:
    _end(acme, _open(acme), "lost")
    made = disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert (made.number, made.amount_minor, made.note) == ("ACME-000001", 1190, None)
    assert (_books(acme), acme.account("tax_payable")) == ({"write_off": 1190}, -190)
    assert (_dispute(acme).decision, _work(acme)[1]) == ("write_off", ("dispute_lost", "resolved"))
    for decide in (disputing.write_off_loss, disputing.credit_loss):
        with pytest.raises(Refused) as refusal:
            decide(acme.parts, _dispute(acme).id, order=ORDER)
        assert refusal.value.code == "dispute_decided"
    assert acme.violations() == ()


def test_a_loss_is_credited_by_a_note_that_takes_revenue_and_tax_back(acme: Company, paid: Invoice) -> None:
    _end(acme, _open(acme, amount=595), "lost")
    made = disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER)
    note = acme.invoices()[1]
    assert (made.note, note.corrects_id, note.status) == ("ACME-CN-000001", paid.id, "credited")
    assert (note.subtotal_minor, note.tax_minor, note.total_minor) == (500, 95, 595)
    assert _books(acme) == {"provider_clearing": 595}
    assert (acme.account("deferred_revenue"), acme.account("tax_payable")) == (-500, -95)
    assert acme.credit(paid.profile_id) == 0
    assert refund(acme.parts, paid.id).amount_minor == 595, "the other half may still go back"
    acme.settle()
    assert sum(each.tax_minor for each in acme.invoices()[1:]) == paid.tax_minor
    assert acme.violations() == ()


def test_what_of_a_loss_had_been_credited_before_is_written_off_beside_the_note(acme: Company, paid: Invoice) -> None:
    credit(acme.parts, paid.id, amount_minor=600, order=ORDER)
    _end(acme, _open(acme), "lost")
    made = disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert (made.amount_minor, made.given_up_minor, made.note) == (590, 600, "ACME-CN-000002")
    assert _books(acme) == {"write_off": 600}
    assert acme.credit(paid.profile_id) == 600
    assert (acme.account("deferred_revenue"), acme.account("tax_payable")) == (0, 0)
    assert sum(each.tax_minor for each in acme.invoices()[1:]) == paid.tax_minor
    assert acme.violations() == ()


def test_a_loss_of_what_was_credited_whole_is_written_off_and_not_credited_again(acme: Company, paid: Invoice) -> None:
    credit(acme.parts, paid.id, order=ORDER)
    _end(acme, _open(acme), "lost")
    with pytest.raises(Refused) as refusal:
        disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert refusal.value.code == "credit_exceeds_invoice"
    disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert acme.violations() == ()


def test_a_dispute_of_what_was_carried_over_is_one_of_the_document_that_has_it_now(
    acme: Company, paid: Invoice
) -> None:
    new = _replaced(acme, paid)
    ref = _open(acme)
    assert _dispute(acme).invoice_id == new.id
    assert _refusal(acme, new) == "charge_disputed"
    _end(acme, ref, "lost")
    assert (_dispute(acme).reopened_minor, _refusal(acme, new)) == (1190, "refund_exceeds_paid")
    assert acme.violations() == ()
    made = disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER)
    (note,) = [each for each in acme.invoices() if each.number == made.note]
    assert (note.corrects_id, note.total_minor) == (new.id, 1190)
    assert (acme.account("receivable"), acme.account("deferred_revenue"), acme.account("tax_payable")) == (0, 0, 0)
    assert acme.violations() == ()


def test_an_inquiry_goes_over_with_the_money_and_its_chargeback_bars_refunds(acme: Company, paid: Invoice) -> None:
    ref = _open(acme, inquiry=True)
    new = _replaced(acme, paid)
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    acme.settle()
    assert (_dispute(acme).invoice_id, _dispute(acme).withdrawn_minor) == (new.id, 1190)
    assert _refusal(acme, new) == "charge_disputed"
    assert acme.violations() == ()


def _replaced(acme: Company, paid: Invoice) -> Invoice:
    """The document that stands in the place of the paid one."""
    replace_invoice(acme.parts, paid.id, order=ORDER)
    (new,) = [each for each in acme.invoices() if each.corrects_id == paid.id and each.kind == "invoice"]
    return new


def test_what_is_not_lost_is_not_decided_on(acme: Company, paid: Invoice) -> None:
    _open(acme)
    with pytest.raises(Refused) as refusal:
        disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert refusal.value.code == "dispute_not_lost"


def test_an_issuer_that_gives_in_after_it_has_won_takes_the_debt_away(acme: Company, paid: Invoice) -> None:
    ref = _open(acme)
    _end(acme, ref, "lost")
    _end(acme, ref, "won")
    assert (_dispute(acme).reopened_minor, _books(acme)) == (0, {"provider_clearing": 1190})
    assert {status for _, status in _work(acme)} == {"resolved"}
    assert acme.violations() == ()


def test_an_inquiry_moves_no_money_and_may_be_answered_with_a_refund(acme: Company, paid: Invoice) -> None:
    ref = _open(acme, inquiry=True)
    assert (_dispute(acme).status, _books(acme)) == ("warning_needs_response", {"provider_clearing": 1190})
    assert _work(acme) == [("dispute_needs_response", "open")]
    refund(acme.parts, paid.id)
    _end(acme, ref, "warning_closed")
    assert (_dispute(acme).status, _books(acme)) == ("warning_closed", {})
    assert _work(acme) == [("dispute_needs_response", "resolved")]
    assert acme.violations() == ()


def test_an_inquiry_that_becomes_a_chargeback_takes_the_money_then(acme: Company, paid: Invoice) -> None:
    ref = _open(acme, inquiry=True)
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    acme.settle()
    assert (_dispute(acme).status, _books(acme)) == ("needs_response", {"disputes": 1190})
    assert [payload["status"] for _, payload in acme.told("dispute.updated")] == [
        "warning_needs_response",
        "needs_response",
    ]
    assert acme.violations() == ()


def test_a_dispute_in_the_cardholders_currency_reopens_what_the_invoice_says(acme: Company, paid: Invoice) -> None:
    _end(acme, _open(acme, amount=1305, currency="usd"), "lost")
    row = _dispute(acme)
    assert (row.amount_minor, row.currency, row.moved_currency) == (1305, "usd", "eur")
    assert (row.reopened_minor, _books(acme)) == (1190, {"receivable": 1190})
    assert acme.violations() == ()


@pytest.mark.parametrize("back", [1150, 1230])
@pytest.mark.parametrize("before", ["needs_response", "lost"])
def test_a_dispute_won_at_another_rate_leaves_the_rest_as_a_difference_of_exchange(
    acme: Company, paid: Invoice, before: str, back: int
) -> None:
    ref = _open(acme, amount=1305, currency="usd")
    _told(acme, ref, status=before)
    _told(acme, ref, status="won", reinstated_minor=back)
    assert _books(acme) == {"provider_clearing": back, "exchange_differences": 1190 - back}
    _told(acme, ref, status="won", reinstated_minor=back)
    assert (_books(acme)["exchange_differences"], _accused(acme)) == (1190 - back, [])


def test_what_a_dispute_that_is_won_in_part_does_not_give_back_is_lost_until_it_comes(
    acme: Company, paid: Invoice
) -> None:
    ref = _open(acme)
    _told(acme, ref, status="won", reinstated_minor=0)
    assert _books(acme) == {"disputes": 1190}
    _told(acme, ref, status="won", reinstated_minor=1000)
    assert (_books(acme), _accused(acme)) == ({"provider_clearing": 1000, "write_off": 190}, [])
    _told(acme, ref, status="won", reinstated_minor=1190)
    assert (_books(acme), _accused(acme)) == ({"provider_clearing": 1190}, [])


def test_what_comes_back_of_a_loss_lowers_its_debt(acme: Company, paid: Invoice) -> None:
    ref = _open(acme)
    _end(acme, ref, "lost")
    _told(acme, ref, status="lost", reinstated_minor=200)
    assert (_dispute(acme).reopened_minor, _books(acme)) == (990, {"provider_clearing": 200, "receivable": 990})
    assert _accused(acme) == []
    _told(acme, ref, status="won", reinstated_minor=1190)
    assert (_dispute(acme).reopened_minor, _books(acme)) == (0, {"provider_clearing": 1190})
    assert _accused(acme) == []


def test_what_comes_back_after_a_loss_was_written_off_lowers_what_was_lost(acme: Company, paid: Invoice) -> None:
    ref = _open(acme)
    _end(acme, ref, "lost")
    disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    _told(acme, ref, status="lost", reinstated_minor=200)
    assert (_books(acme), _accused(acme)) == ({"provider_clearing": 200, "write_off": 990}, [])


def test_a_loss_in_another_currency_reopens_no_more_than_its_own_charge(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    mark_paid(acme.parts, invoice.id, amount_minor=1000, reference="by bank")
    acme.give_method(invoice.profile_id, "pm_card_visa")
    acme.settle()
    _end(acme, _open(acme, amount=210, currency="usd"), "lost")
    assert (_dispute(acme).reopened_minor, _books(acme)) == (190, {"receivable": 190})
    assert acme.violations() == ()


def test_what_had_gone_back_before_is_lost_without_a_debt(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.settle()
    _end(acme, _open(acme), "lost")
    assert (_dispute(acme).decision, _dispute(acme).reopened_minor) == ("write_off", 0)
    assert _books(acme) == {"provider_clearing": -1190, "write_off": 1190}
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received', next_try_at = now()"))
    acme.settle()
    assert _books(acme) == {"provider_clearing": -1190, "write_off": 1190}, "once, however often it is told"


@pytest.mark.parametrize("stops", [True, False])
def test_while_a_dispute_is_open_its_customer_is_not_charged(acme: Company, paid: Invoice, *, stops: bool) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET dispute_stops_charging = :stops"), {"stops": stops})
    ref = _open(acme)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    second = acme.invoices()[1]
    assert (second.status, len(acme.payments(second))) == (("open", 0) if stops else ("paid", 1))
    _end(acme, ref, "won")
    assert acme.invoices()[1].status == "paid"
    assert acme.violations() == ()


def test_an_early_warning_is_work_until_the_charge_is_refunded(acme: Company, paid: Invoice) -> None:
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "early_fraud_warnings", {"charge": charge.charge_ref})
    acme.settle()
    with acme.begin() as session:
        row = session.scalars(select(FraudWarning)).one()
    assert (row.invoice_id, row.fraud_type, row.actionable) == (paid.id, "made_with_lost_card", True)
    assert _work(acme) == [("early_fraud_warning", "open")]
    assert len(acme.told("fraud_warning.created")) == 1
    refund(acme.parts, paid.id)
    acme.settle()
    assert _work(acme) == [("early_fraud_warning", "resolved")]
    assert acme.violations() == ()


def test_a_dispute_of_somebody_elses_charge_is_ignored(acme: Company, paid: Invoice) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.payment SET charge_ref = 'ch_other'"))
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    acme.settle()
    with acme.begin() as session:
        assert session.scalars(select(Dispute)).all() == []
