"""Disputes: what a bank takes is booked once, refunds and charges wait, and a loss is decided on by a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from billing.flows import collection, disputing, renewal, resolution
from billing.flows.crediting import credit
from billing.flows.dispute_events import adopt_dispute
from billing.flows.order import Order
from billing.flows.refunding import refund
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import Dispute, FraudWarning, Invoice
from billing.providers.listed import ListedDispute
from billing.providers.port import DisputeFacts
from billing.providers.stripe.adapter import StripeProvider
from tests.flows.company import START, Company
from tests.flows.comparing import compare
from tests.flows.disputes import accused, books, end, open_dispute, show, the_dispute
from tests.flows.refunds import paid_invoice

ORDER = Order(actor="mara", reason="the bank's letter")


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    return paid_invoice(acme)


def _work(acme: Company) -> list[tuple[str, str]]:
    return [(item.kind, item.status) for item in acme.work_items()]


def _refusal(acme: Company, invoice: Invoice) -> str:
    with pytest.raises(Refused) as refusal:
        refund(acme.parts, invoice.id)
    return refusal.value.code


def test_an_open_dispute_holds_the_money_bars_refunds_and_is_a_persons_work(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    row = the_dispute(acme)
    assert (row.dispute_ref, row.status, row.amount_minor, row.currency) == (ref, "needs_response", 1190, "eur")
    assert (row.invoice_id, row.withdrawn_minor, row.reopened_minor) == (paid.id, 1190, 0)
    assert row.due_by == row.opened_at + timedelta(days=7)
    assert books(acme) == {"disputes": 1190}
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


@pytest.mark.parametrize("stage", ["", "warning_"])
def test_who_is_asked_again_is_told_again(acme: Company, paid: Invoice, stage: str) -> None:
    ref = open_dispute(acme, inquiry=bool(stage))
    for status, told in (("under_review", ["resolved"]), ("needs_response", ["resolved", "open"])):
        show(acme, ref, status=f"{stage}{status}")
        assert the_dispute(acme).status == f"{stage}{status}"
        assert [item.status for item in acme.work_items() if item.kind == "dispute_needs_response"] == told
    assert accused(acme) == []


def test_a_dispute_won_puts_it_back(acme: Company, paid: Invoice) -> None:
    end(acme, open_dispute(acme), "won")
    assert (the_dispute(acme).status, books(acme)) == ("won", {"provider_clearing": 1190})
    assert _work(acme) == [("dispute_needs_response", "resolved")]
    assert refund(acme.parts, paid.id).amount_minor == 1190
    acme.settle()
    assert acme.violations() == ()


def test_what_was_won_and_is_taken_again_after_an_appeal_is_owed_again(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "won")
    show(acme, ref, status="under_review")
    assert the_dispute(acme).status == "won", "an older state takes nothing back"
    for status, owed in (("under_review", 0), ("lost", 1190)):
        show(acme, ref, status=status, withdrawn_minor=2380)
        assert (the_dispute(acme).status, the_dispute(acme).reopened_minor) == (status, owed)
        assert books(acme) == {"receivable" if owed else "disputes": 1190}
    assert _work(acme)[-1] == ("dispute_lost", "open")
    assert accused(acme) == []


def test_a_dispute_lost_is_owed_again_and_not_charged_or_refunded(acme: Company, paid: Invoice) -> None:
    end(acme, open_dispute(acme), "lost")
    assert (the_dispute(acme).status, the_dispute(acme).reopened_minor) == ("lost", 1190)
    assert books(acme) == {"receivable": 1190}
    assert (acme.invoices()[0].status, acme.invoices()[0].next_attempt_at) == ("paid", None)
    assert _work(acme) == [("dispute_needs_response", "resolved"), ("dispute_lost", "open")]
    assert _refusal(acme, paid) == "refund_exceeds_paid"
    assert acme.violations() == ()


def test_a_loss_is_written_off_once(acme: Company, paid: Invoice) -> None:
    end(acme, open_dispute(acme), "lost")
    made = disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert (made.number, made.amount_minor, made.note) == ("ACME-000001", 1190, None)
    assert (books(acme), acme.account("tax_payable")) == ({"write_off": 1190}, -190)
    assert (the_dispute(acme).decision, _work(acme)[1]) == ("write_off", ("dispute_lost", "resolved"))
    for decide in (disputing.write_off_loss, disputing.credit_loss):
        with pytest.raises(Refused) as refusal:
            decide(acme.parts, the_dispute(acme).id, order=ORDER)
        assert refusal.value.code == "dispute_decided"
    assert acme.violations() == ()


def test_a_loss_is_credited_by_a_note_that_takes_revenue_and_tax_back(acme: Company, paid: Invoice) -> None:
    end(acme, open_dispute(acme, amount=595), "lost")
    made = disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    note = acme.invoices()[1]
    assert (made.note, note.corrects_id, note.status) == ("ACME-CN-000001", paid.id, "credited")
    assert (note.subtotal_minor, note.tax_minor, note.total_minor) == (500, 95, 595)
    assert books(acme) == {"provider_clearing": 595}
    assert (acme.account("deferred_revenue"), acme.account("tax_payable")) == (-500, -95)
    assert acme.credit(paid.profile_id) == 0
    for amount in (None, 300):
        with pytest.raises(Refused) as refusal:
            refund(acme.parts, paid.id, amount_minor=amount)
        assert refusal.value.code == "charge_disputed", "the provider sends nothing of it back any more"
    credit(acme.parts, paid.id, amount_minor=595, order=ORDER)
    assert acme.credit(paid.profile_id) == 595
    assert sum(each.tax_minor for each in acme.invoices()[1:]) == paid.tax_minor
    assert acme.violations() == ()


def test_what_of_a_loss_had_been_credited_before_is_written_off_beside_the_note(acme: Company, paid: Invoice) -> None:
    credit(acme.parts, paid.id, amount_minor=600, order=ORDER)
    end(acme, open_dispute(acme), "lost")
    made = disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert (made.amount_minor, made.given_up_minor, made.note) == (590, 600, "ACME-CN-000002")
    assert books(acme) == {"write_off": 600}
    assert acme.credit(paid.profile_id) == 600
    assert (acme.account("deferred_revenue"), acme.account("tax_payable")) == (0, 0)
    assert sum(each.tax_minor for each in acme.invoices()[1:]) == paid.tax_minor
    assert acme.violations() == ()


def test_a_loss_of_what_was_credited_whole_is_written_off_and_not_credited_again(acme: Company, paid: Invoice) -> None:
    credit(acme.parts, paid.id, order=ORDER)
    end(acme, open_dispute(acme), "lost")
    with pytest.raises(Refused) as refusal:
        disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert refusal.value.code == "credit_exceeds_invoice"
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert acme.violations() == ()


def test_a_dispute_of_what_was_carried_over_is_one_of_the_document_that_has_it_now(
    acme: Company, paid: Invoice
) -> None:
    new = _replaced(acme, paid)
    ref = open_dispute(acme)
    assert the_dispute(acme).invoice_id == new.id
    assert _refusal(acme, new) == "charge_disputed"
    end(acme, ref, "lost")
    assert (the_dispute(acme).reopened_minor, _refusal(acme, new)) == (1190, "refund_exceeds_paid")
    assert acme.violations() == ()
    made = disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    (note,) = [each for each in acme.invoices() if each.number == made.note]
    assert (note.corrects_id, note.total_minor) == (new.id, 1190)
    assert (acme.account("receivable"), acme.account("deferred_revenue"), acme.account("tax_payable")) == (0, 0, 0)
    assert acme.violations() == ()


def test_an_inquiry_goes_over_with_the_money_and_its_chargeback_bars_refunds(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme, inquiry=True)
    new = _replaced(acme, paid)
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    acme.settle()
    assert (the_dispute(acme).invoice_id, the_dispute(acme).withdrawn_minor) == (new.id, 1190)
    assert _refusal(acme, new) == "charge_disputed"
    assert acme.violations() == ()


def _replaced(acme: Company, paid: Invoice) -> Invoice:
    """The document that stands in the place of the paid one."""
    replace_invoice(acme.parts, paid.id, order=ORDER)
    (new,) = [each for each in acme.invoices() if each.corrects_id == paid.id and each.kind == "invoice"]
    return new


def test_what_is_not_lost_is_not_decided_on(acme: Company, paid: Invoice) -> None:
    open_dispute(acme)
    with pytest.raises(Refused) as refusal:
        disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert refusal.value.code == "dispute_not_lost"


def test_an_issuer_that_gives_in_after_it_has_won_takes_the_debt_away(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    end(acme, ref, "won")
    assert (the_dispute(acme).reopened_minor, books(acme)) == (0, {"provider_clearing": 1190})
    assert {status for _, status in _work(acme)} == {"resolved"}
    assert acme.violations() == ()


def test_an_inquiry_moves_no_money_and_may_be_answered_with_a_refund(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme, inquiry=True)
    assert (the_dispute(acme).status, books(acme)) == ("warning_needs_response", {"provider_clearing": 1190})
    assert _work(acme) == [("dispute_needs_response", "open")]
    refund(acme.parts, paid.id)
    end(acme, ref, "warning_closed")
    assert (the_dispute(acme).status, books(acme)) == ("warning_closed", {})
    assert _work(acme) == [("dispute_needs_response", "resolved")]
    assert acme.violations() == ()


def test_an_inquiry_that_becomes_a_chargeback_takes_the_money_then(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme, inquiry=True)
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    acme.settle()
    assert (the_dispute(acme).status, books(acme)) == ("needs_response", {"disputes": 1190})
    assert [payload["status"] for _, payload in acme.told("dispute.updated")] == [
        "warning_needs_response",
        "needs_response",
    ]
    assert acme.violations() == ()


def test_a_dispute_in_the_cardholders_currency_reopens_what_the_invoice_says(acme: Company, paid: Invoice) -> None:
    end(acme, open_dispute(acme, amount=1305, currency="usd"), "lost")
    row = the_dispute(acme)
    assert (row.amount_minor, row.currency, row.moved_currency) == (1305, "usd", "eur")
    assert (row.reopened_minor, books(acme)) == (1190, {"receivable": 1190})
    assert acme.violations() == ()


def test_what_had_gone_back_before_is_lost_without_a_debt(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.settle()
    end(acme, open_dispute(acme), "lost")
    assert (the_dispute(acme).decision, the_dispute(acme).reopened_minor) == ("write_off", 0)
    assert books(acme) == {"provider_clearing": -1190, "write_off": 1190}
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_event SET status = 'received', next_try_at = now()"))
    acme.settle()
    assert books(acme) == {"provider_clearing": -1190, "write_off": 1190}, "once, however often it is told"


@pytest.mark.parametrize("stops", [True, False])
def test_while_a_dispute_is_open_its_customer_is_not_charged(acme: Company, paid: Invoice, *, stops: bool) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET dispute_stops_charging = :stops"), {"stops": stops})
    ref = open_dispute(acme)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    second = acme.invoices()[1]
    assert (second.status, len(acme.payments(second))) == (("open", 0) if stops else ("paid", 1))
    # Nor is it planned again and again, to be left out each time.
    assert collection.plan(acme.parts) == 0
    end(acme, ref, "won")
    assert acme.invoices()[1].status == "paid"
    assert acme.violations() == ()


@pytest.mark.parametrize("stops", [True, False])
def test_what_was_opened_and_not_sent_before_a_dispute_came_waits_for_its_end(
    acme: Company, paid: Invoice, monkeypatch: pytest.MonkeyPatch, *, stops: bool
) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET dispute_stops_charging = :stops"), {"stops": stops})
    (charge,) = acme.witness.charges()
    refs = list[str]()

    def a_dispute_comes(name: str) -> None:
        if name != "charge.frozen":
            return
        monkeypatch.setattr(collection, "failpoint", lambda _: None)
        refs.append(acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})["id"])
        adopt_dispute(acme.parts, acme.account_id, refs[0])

    monkeypatch.setattr(collection, "failpoint", a_dispute_comes)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    second = acme.invoices()[1]
    assert (second.status, [each.status for each in acme.payments(second)]) == (
        ("open", ["not_sent"]) if stops else ("paid", ["succeeded"])
    )
    end(acme, refs[0], "won")
    assert (acme.invoices()[1].status, [each.status for each in acme.payments(second)]) == ("paid", ["succeeded"])
    assert acme.violations() == ()


def test_a_key_whose_outcome_is_unknown_is_not_sent_again_while_a_dispute_is_open(acme: Company, paid: Invoice) -> None:
    (charge,) = acme.witness.charges()
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    acme.set_clock(START + timedelta(days=31))
    renewal.plan(acme.parts)
    acme.run_messages()
    second = acme.invoices()[1]
    assert [each.status for each in acme.payments(second)] == ["unknown"]
    ref = acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})["id"]
    adopt_dispute(acme.parts, acme.account_id, ref)
    acme.wait_for(lambda: resolution.resolve(acme.parts) == 1)
    assert [each.status for each in acme.payments(second)] == ["unknown"]
    assert len(list(acme.witness.charges())) == 1
    end(acme, ref, "won")
    assert [each.status for each in acme.payments(second)] == ["succeeded"]


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


def test_at_stake_of_a_warning_is_what_can_still_go_back(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id, amount_minor=300)
    acme.settle()
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "early_fraud_warnings", {"charge": charge.charge_ref})
    acme.settle()
    assert [each.amount_minor for each in acme.work_items()] == [890]


def test_a_dispute_of_somebody_elses_charge_is_ignored(acme: Company, paid: Invoice) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.payment SET charge_ref = 'ch_other'"))
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    acme.settle()
    with acme.begin() as session:
        assert session.scalars(select(Dispute)).all() == []


def test_a_response_that_the_bank_rejects_may_be_appealed_and_asks_for_an_answer_again(
    acme: Company, paid: Invoice
) -> None:
    """The pinned version of Stripe's API names these states; where appeals are switched on, disputes have them."""
    ref = open_dispute(acme)
    acme.witness.call("POST", f"disputes/{ref}/reject", {})
    acme.settle()
    assert (the_dispute(acme).status, books(acme)) == ("needs_response", {"disputes": 1190})
    assert [item.status for item in acme.work_items()] == ["open"]
    assert compare(acme) == []
    end(acme, ref, "won")
    assert (the_dispute(acme).status, books(acme)) == ("won", {"provider_clearing": 1190})
    assert compare(acme) == []
    assert acme.violations() == ()


def test_a_loss_that_may_be_appealed_asks_for_an_answer_and_stays_a_loss(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    show(acme, ref, status="needs_response")
    lost, answered = ("dispute_lost", "open"), ("dispute_needs_response", "resolved")
    assert _work(acme) == [answered, lost], "an older state asks for nothing"
    show(acme, ref, status="needs_response", appeal=True)
    assert (the_dispute(acme).status, books(acme)) == ("lost", {"receivable": 1190})
    assert _work(acme) == [answered, lost, ("dispute_needs_response", "open")]
    assert "may be appealed" in acme.work_items()[-1].summary
    for status, appeal in (("under_review", True), ("needs_response", True), ("lost", False)):
        show(acme, ref, status=status, appeal=appeal)
        now_open = [each.kind for each in acme.work_items() if each.status == "open"]
        asked = ["dispute_needs_response"] if status == "needs_response" else []
        assert sorted(now_open) == ["dispute_lost", *asked]
    assert accused(acme) == []


def test_a_loss_that_may_be_appealed_is_no_difference(
    acme: Company, paid: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(acme, open_dispute(acme), "lost")
    read, pages = StripeProvider.read_dispute, StripeProvider.dispute_pages

    def asked(self: StripeProvider, dispute_ref: str) -> DisputeFacts:
        return replace(read(self, dispute_ref), status="needs_response", appeal=True)

    def listed(self: StripeProvider, **given: datetime) -> Iterator[list[ListedDispute]]:
        return ([replace(each, status="needs_response") for each in page] for page in pages(self, **given))

    monkeypatch.setattr(StripeProvider, "read_dispute", asked)
    monkeypatch.setattr(StripeProvider, "dispute_pages", listed)
    assert compare(acme) == []
    assert the_dispute(acme).status == "lost"
    assert ("dispute_needs_response", "open") in _work(acme)


def test_an_appeal_that_no_event_told_of_stops_no_reconciliation(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.witness.call("POST", f"disputes/{ref}/reject", {})
    assert compare(acme) == []
    assert the_dispute(acme).status == "needs_response"


def test_a_dispute_that_was_prevented_by_giving_the_money_back_is_owed_again(acme: Company, paid: Invoice) -> None:
    open_dispute(acme, prevented="resolution")
    assert (the_dispute(acme).status, the_dispute(acme).reopened_minor) == ("lost", 1190)
    assert books(acme) == {"receivable": 1190}
    assert _work(acme) == [("dispute_lost", "open")]
    assert compare(acme) == []
    assert acme.violations() == ()


def test_a_dispute_that_was_prevented_by_being_blocked_moved_nothing(acme: Company, paid: Invoice) -> None:
    open_dispute(acme, prevented="block")
    assert (the_dispute(acme).status, books(acme)) == ("warning_closed", {"provider_clearing": 1190})
    assert compare(acme) == []
    assert (_work(acme), acme.violations()) == ([], ())
