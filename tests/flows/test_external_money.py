"""Money by bank has exactly one place, whatever has become of the invoice that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.flows import disputing, external_money, operating_drafts, refunding
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import credit
from billing.flows.order import Order
from billing.flows.paying_out import pay_out
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused, Stale
from billing.models import Dispute, Invoice
from billing.queries.books.reports import aging_report
from tests.flows.company import START, Company
from tests.flows.refunds import paid_invoice, tell

ORDER = Order(actor="mara", reason="the bank statement of today")
Make = Callable[[Company], Invoice]


def _paid(acme: Company) -> Invoice:
    return paid_invoice(acme)


def _owed(acme: Company) -> Invoice:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    return acme.invoices()[0]


def _disputed(acme: Company, status: str = "lost", *, amount: int | None = None) -> Invoice:
    """Its charge is disputed, which ends so."""
    invoice = _paid(acme)
    (charge,) = acme.witness.charges()
    wish = {"charge": charge.charge_ref} | ({"amount": amount} if amount else {})
    ref = acme.witness.call("POST", "disputes", wish)["id"]
    acme.settle()
    acme.witness.call("POST", f"disputes/{ref}/close", {"status": status})
    acme.settle()
    return invoice


def _won_late(acme: Company) -> None:
    acme.witness.call("POST", f"disputes/{_dispute(acme).dispute_ref}/close", {"status": "won"})
    acme.settle()


def _lost_in_part(acme: Company) -> Invoice:
    return _disputed(acme, amount=500)


def _given_up(acme: Company) -> Invoice:
    invoice = _disputed(acme)
    disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    return invoice


def _owned(acme: Company) -> Invoice:
    """The customer was right: the loss is credited."""
    invoice = _disputed(acme)
    disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER)
    return invoice


def _written_off(acme: Company) -> Invoice:
    invoice = _owed(acme)
    mark_uncollectible(acme.parts, invoice.id)
    return invoice


def _void(acme: Company) -> Invoice:
    invoice = _owed(acme)
    void(acme.parts, invoice.id)
    return invoice


def _credited(acme: Company) -> Invoice:
    invoice = _owed(acme)
    credit(acme.parts, invoice.id, order=ORDER)
    return invoice


def _refunded(acme: Company) -> Invoice:
    invoice = _paid(acme)
    refunding.refund(acme.parts, invoice.id)
    acme.settle()
    return invoice


def _dispute(acme: Company) -> Dispute:
    with acme.begin() as session:
        return session.scalars(select(Dispute)).one()


@dataclass(frozen=True)
class Place:
    """Where 1290 go: to the debt, to what a dispute has taken, into the balance; and what stays written off."""

    make: Make
    paid: int = 0
    repaid: int = 0
    credited: int = 0
    alone: str | None = None
    """How it is refused where no amount is named; None: all that is owed is noted."""


PLACES = {
    "open": Place(_owed, paid=1190, credited=100),
    "written off": Place(_written_off, paid=1190, credited=100),
    "a dispute is lost": Place(_disputed, repaid=1190, credited=100),
    "a part of it is": Place(_lost_in_part, repaid=500, credited=790),
    "the loss is written off": Place(_given_up, repaid=1190, credited=100),
    "the loss is credited": Place(_owned, credited=1290, alone="invoice_not_open"),
    "paid": Place(_paid, credited=1290, alone="invoice_not_open"),
    "credited": Place(_credited, credited=1290, alone="invoice_not_open"),
    "refunded": Place(_refunded, credited=1290, alone="invoice_not_open"),
    "void": Place(_void, credited=1290, alone="invoice_not_open"),
}


@pytest.mark.parametrize("name", PLACES)
def test_each_part_of_a_transfer_has_one_place(acme: Company, name: str) -> None:
    place = PLACES[name]
    invoice = place.make(acme)
    if place.alone is not None:
        assert _refusal(acme, invoice) == place.alone
        assert _refusal(acme, invoice, amount_minor=1290) == "reference_missing"
    tried = Order(actor="mara", reason="tried first", dry_run=True)
    for order in (tried, ORDER):
        made = external_money.mark_paid(
            acme.parts, invoice.id, amount_minor=1290, reference="statement 9", order=order
        ).placed
        assert (made.paid_minor, made.repaid_minor, made.credited_minor) == (place.paid, place.repaid, place.credited)
    assert (acme.account("external_money"), acme.account("receivable"), acme.account("write_off")) == (1290, 0, 0)
    assert acme.credit(invoice.profile_id) == place.credited
    assert _refusal(acme, invoice, amount_minor=1290, reference="statement 9") == "reference_taken"
    assert [item.kind for item in acme.work_items() if item.status == "open"] == []
    assert acme.violations() == ()
    _ties(acme)


def test_a_part_that_is_noted_again_under_its_name_is_the_same_money(acme: Company) -> None:
    invoice = _owed(acme)
    external_money.mark_paid(acme.parts, invoice.id, amount_minor=400, reference="statement 9")
    assert _refusal(acme, invoice, amount_minor=400, reference="statement 9") == "reference_taken"
    external_money.mark_paid(acme.parts, invoice.id, amount_minor=400, reference="statement 9, second transfer")
    made = external_money.mark_paid(acme.parts, invoice.id, reference="statement 9")
    assert (made.placed.paid_minor, acme.account("external_money")) == (390, 1190), "the rest is owed, so it is new"
    _ties(acme)


def test_a_loss_may_be_paid_in_parts_and_the_rest_is_decided_on(acme: Company) -> None:
    invoice = _disputed(acme)
    made = external_money.mark_paid(acme.parts, invoice.id, amount_minor=400)
    assert (made.remaining_minor, made.told) == (790, "4.00 EUR came another way; 7.90 EUR are still owed")
    assert (_dispute(acme).decision, acme.account("receivable")) == (None, 790)
    _ties(acme)
    assert disputing.credit_loss(acme.parts, _dispute(acme).id, order=ORDER).amount_minor == 790
    assert acme.account("receivable") == 0
    assert _refusal(acme, invoice) == "invoice_not_open"
    with pytest.raises(Refused) as refused:
        refunding.refund(acme.parts, invoice.id)
    assert refused.value.code == "refund_exceeds_paid", "the charge was taken back, and nothing can go back on it"
    assert acme.violations() == ()
    _ties(acme)


def test_all_of_a_loss_is_paid_where_no_amount_is_named_and_that_decides_it(acme: Company) -> None:
    invoice = _disputed(acme)
    external_money.mark_paid(acme.parts, invoice.id)
    assert (_dispute(acme).decision, _dispute(acme).repaid_minor) == ("paid", 1190)
    for decide in (disputing.write_off_loss, disputing.credit_loss):
        with pytest.raises(Refused) as refused:
            decide(acme.parts, _dispute(acme).id, order=ORDER)
        assert refused.value.code == "dispute_decided"
    # What came by bank can be credited, and not be refunded by the charge that the bank has taken back.
    with pytest.raises(Refused) as refused:
        refunding.refund(acme.parts, invoice.id)
    assert refused.value.code == "refund_exceeds_paid"
    credit(acme.parts, invoice.id, order=ORDER)
    assert acme.credit(invoice.profile_id) == 1190
    with acme.parts.begin() as session, pytest.raises(Refused):
        pay_out(acme.parts, session, invoice.profile_id, currency="eur", exact=True)
    assert acme.violations() == ()


@pytest.mark.parametrize(("came", "credited", "left"), [(1190, 1190, 0), (400, 400, 0)])
def test_a_dispute_that_is_won_after_it_was_paid_by_bank_was_paid_twice(
    acme: Company, came: int, credited: int, left: int
) -> None:
    invoice = _disputed(acme)
    external_money.mark_paid(acme.parts, invoice.id, amount_minor=came)
    _won_late(acme)
    tell(acme, "charge.dispute.closed", _dispute(acme).dispute_ref)
    acme.settle()
    assert (acme.credit(invoice.profile_id), acme.account("receivable")) == (credited, left)
    assert (acme.account("disputes"), acme.account("provider_clearing")) == (0, 1190)
    assert [item.kind for item in acme.work_items() if item.status == "open"] == []
    assert refunding.refund(acme.parts, invoice.id).amount_minor == 1190
    acme.settle()
    assert acme.violations() == ()
    _ties(acme)


def test_of_a_loss_that_was_written_off_in_part_what_came_by_bank_is_credit_when_it_is_won_late(acme: Company) -> None:
    invoice = _disputed(acme)
    external_money.mark_paid(acme.parts, invoice.id, amount_minor=400)
    disputing.write_off_loss(acme.parts, _dispute(acme).id, order=ORDER)
    assert (acme.account("write_off"), _dispute(acme).given_up_minor) == (790, 790)
    _won_late(acme)
    assert (acme.credit(invoice.profile_id), acme.account("disputes")) == (400, -790)
    assert [item.kind for item in acme.work_items() if item.status == "open"] == ["dispute_won_late"]
    assert acme.violations() == ()


def test_what_was_written_off_and_paid_after_all_may_be_replaced(acme: Company) -> None:
    invoice = _written_off(acme)
    external_money.mark_paid(acme.parts, invoice.id)
    assert replace_invoice(acme.parts, invoice.id, order=ORDER).carried_minor == 1190
    assert acme.violations() == ()


def test_money_for_a_replaced_document_is_noted_on_the_one_in_its_place(acme: Company) -> None:
    invoice = _owed(acme)
    new = replace_invoice(acme.parts, invoice.id, order=ORDER).replaced_by
    with pytest.raises(Refused) as refused:
        external_money.mark_paid(acme.parts, invoice.id, amount_minor=1190, reference="statement 9")
    assert refused.value.code == "invoice_not_open"
    assert "another stands in its place" in refused.value.faults[0].mend
    (of_new,) = [each for each in acme.invoices() if each.number == new]
    assert external_money.mark_paid(acme.parts, of_new.id).status == "paid"
    for each in acme.invoices():
        if each.kind != "invoice":
            assert _refusal(acme, each, amount_minor=1190, reference="statement 9") == "invoice_not_open"
    assert acme.violations() == ()


def _refusal(acme: Company, invoice: Invoice, **given: object) -> str:
    with pytest.raises(Refused) as refused:
        external_money.mark_paid(acme.parts, invoice.id, **given)  # type: ignore[arg-type]
    return refused.value.code


def _ties(acme: Company) -> None:
    """What is owed by the documents is what the books hold."""
    with acme.begin() as session:
        report = aging_report(session, as_of=START.date(), seller_id=acme.seller_id)
    assert all(tie.difference_minor == 0 for tie in report.ties), report


def test_a_draft_that_is_issued_just_now_takes_no_money_before_its_charge_is_stopped(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 24"))
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    (draft,) = acme.invoices()
    real = external_money.lock_profile

    def issued_meanwhile(session: Session, profile_id: UUID) -> None:
        operating_drafts.release(acme.parts, draft.id, order=ORDER)
        real(session, profile_id)

    monkeypatch.setattr(external_money, "lock_profile", issued_meanwhile)
    with pytest.raises(Stale):
        external_money.mark_paid(acme.parts, draft.id, amount_minor=1190, reference="statement 7")
    assert acme.invoices()[0].amount_remaining_minor == 1190


@pytest.mark.parametrize(("days", "code"), [(1, "in_the_future"), (-367, "long_before_issue")])
def test_a_day_on_which_the_money_can_not_have_come_is_refused_and_cancels_nothing_at_the_provider(
    acme: Company, days: int, code: str
) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    (owed,) = acme.invoices()
    assert owed.issued_at is not None
    with pytest.raises(Refused) as refused:
        external_money.mark_paid(acme.parts, owed.id, received_at=owed.issued_at + timedelta(days=days), order=ORDER)
    assert (refused.value.code, refused.value.faults[0].field) == (code, "received_at")
    assert not [each for each in acme.witness.intents() if each.status == "canceled"]
    paid_a_year_before = owed.issued_at - timedelta(days=366)
    assert external_money.mark_paid(acme.parts, owed.id, received_at=paid_a_year_before, order=ORDER).status == "paid"
