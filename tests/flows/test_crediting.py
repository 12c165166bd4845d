"""Money beside the provider: parts and too much of it, credit notes by hand, and balances that are paid out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import changing, refunding
from billing.flows.correcting import void
from billing.flows.crediting import credit
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.flows.paying_out import order_payout, pay_out
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import ExternalPayment, Invoice
from billing.queries.operations.today import money_by_day
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.company import START, Company
from tests.flows.refunds import at_provider, books, paid_invoice

ORDER = Order(actor="mara", reason="agreed on the telephone")
HALF = START + timedelta(days=14)


def test_a_balance_is_filled_by_hand_no_further_than_a_document_reaches(acme: Company, owed: Invoice) -> None:
    for amount in [10**15 - 1] * 9 + [2**53 - 1 - 9 * (10**15 - 1)]:
        with acme.parts.begin() as session:
            grant_credit(session, profile_id=owed.profile_id, amount_minor=amount, currency="eur", now=acme.now())
    with pytest.raises(Refused) as caught, acme.parts.begin() as session:
        grant_credit(session, profile_id=owed.profile_id, amount_minor=1, currency="eur", now=acme.now())
    assert (caught.value.faults[0].field, caught.value.code) == ("amount", "balance_too_large")
    assert "90071992547409.91 EUR are there" in caught.value.faults[0].mend
    with pytest.raises(Refused) as caught:
        mark_paid(acme.parts, owed.id, amount_minor=1191, order=ORDER)
    assert caught.value.code == "balance_too_large"
    mark_paid(acme.parts, owed.id, amount_minor=1190, order=ORDER)
    assert acme.violations() == ()


def _first(acme: Company) -> Invoice:
    return next(each for each in acme.invoices() if each.kind == "invoice")


def _code(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.code


def test_a_part_leaves_the_rest_open_and_only_the_rest_is_charged(acme: Company, owed: Invoice) -> None:
    made = mark_paid(acme.parts, owed.id, amount_minor=500, reference="statement 7", received_at=START)
    assert (made.status, made.remaining_minor) == ("open", 690)
    with acme.begin() as session:
        (kept,) = session.scalars(select(ExternalPayment))
    assert (kept.amount_minor, kept.reference, kept.received_at) == (500, "statement 7", START)
    assert (acme.account("external_money"), acme.account("receivable")) == (500, 690)
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    invoice = _first(acme)
    assert (invoice.status, invoice.amount_paid_minor, acme.payments()[-1].amount_minor) == ("paid", 1190, 690)
    assert [intent.status for intent in acme.witness.intents()] == ["canceled", "succeeded"]
    assert refunding.refund(acme.parts, invoice.id).amount_minor == 690, "only what came through the provider"
    acme.settle()
    assert acme.violations() == ()


def test_what_is_beyond_the_debt_goes_into_the_balance(acme: Company, owed: Invoice) -> None:
    mark_paid(acme.parts, owed.id, amount_minor=1500)
    assert (_first(acme).status, _first(acme).amount_paid_minor, acme.credit(owed.profile_id)) == ("paid", 1190, 310)
    assert (acme.account("external_money"), acme.account("customer_credit")) == (1500, -310)
    assert acme.violations() == ()


@pytest.mark.parametrize(("amount", "when"), [(0, START), (500, START + timedelta(days=2))])
def test_money_that_did_not_come_is_not_noted(acme: Company, owed: Invoice, amount: int, when: object) -> None:
    with pytest.raises(Refused):
        mark_paid(acme.parts, owed.id, amount_minor=amount, received_at=when)  # type: ignore[arg-type]
    assert _first(acme).amount_remaining_minor == 1190


def test_a_credit_note_takes_a_part_off_the_debt(acme: Company, owed: Invoice) -> None:
    made = credit(acme.parts, owed.id, amount_minor=595, order=ORDER)
    invoice, note = acme.invoices()
    assert (made.note, made.remaining_minor) == (note.number, 595)
    assert (invoice.status, invoice.amount_remaining_minor, invoice.amount_credited_minor) == ("open", 595, 595)
    assert (note.status, note.corrects_id) == ("credited", invoice.id)
    assert (note.subtotal_minor, note.tax_minor, note.total_minor) == (500, 95, 595)
    assert (acme.account("receivable"), acme.account("tax_payable"), acme.credit(owed.profile_id)) == (595, -95, 0)
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    assert (_first(acme).status, acme.payments()[-1].amount_minor) == ("paid", 595)
    assert refunding.refund(acme.parts, invoice.id).amount_minor == 595
    acme.settle()
    assert sum(each.tax_minor for each in acme.invoices()[1:]) == 190
    assert acme.violations() == ()


def _paid_in_part(acme: Company, invoice: Invoice) -> None:
    mark_paid(acme.parts, invoice.id, amount_minor=500)


def _credited_in_part(acme: Company, invoice: Invoice) -> None:
    credit(acme.parts, invoice.id, amount_minor=500, order=ORDER)


def _replaced_with_what_was_paid(acme: Company, invoice: Invoice) -> None:
    _paid_in_part(acme, invoice)
    replace_invoice(acme.parts, invoice.id, order=ORDER)


@pytest.mark.parametrize("before", [_paid_in_part, _credited_in_part, _replaced_with_what_was_paid])
def test_what_is_paid_or_credited_in_part_is_not_voided_but_its_rest_credited(
    acme: Company, owed: Invoice, before: Callable[[Company, Invoice], None]
) -> None:
    before(acme, owed)
    (invoice,) = [each for each in acme.invoices() if each.status == "open"]
    documents = len(acme.invoices())
    with pytest.raises(Refused) as refused:
        void(acme.parts, invoice.id)
    assert _code(refused) == "invoice_partly_settled"
    assert "billing invoice credit" in refused.value.faults[0].mend
    assert (len(acme.invoices()), acme.account("receivable")) == (documents, 690)
    assert credit(acme.parts, invoice.id, amount_minor=690, order=ORDER).status == "paid"
    assert acme.account("receivable") == 0
    assert acme.violations() == ()


def test_a_credit_note_of_all_that_is_owed_settles_it(acme: Company, owed: Invoice) -> None:
    mark_paid(acme.parts, owed.id, amount_minor=190)
    made = credit(acme.parts, owed.id, order=ORDER)
    assert (made.status, made.remaining_minor) == ("paid", 0)
    assert acme.account("receivable") == 0
    with pytest.raises(Refused) as refused:
        void(acme.parts, owed.id)
    assert _code(refused) == "invoice_not_open"
    assert acme.violations() == ()


def test_a_credit_note_of_a_paid_invoice_goes_into_the_balance_and_never_beyond_it(acme: Company) -> None:
    paid = paid_invoice(acme)
    credit(acme.parts, paid.id, amount_minor=400, order=ORDER)
    assert (_first(acme).status, _first(acme).amount_returned_minor) == ("paid", 400)
    assert (acme.credit(paid.profile_id), acme.account("customer_credit")) == (400, -400)
    for again in (lambda: credit(acme.parts, paid.id, amount_minor=791, order=ORDER),):
        with pytest.raises(Refused) as refused:
            again()
        assert _code(refused) == "credit_exceeds_invoice"
    assert refunding.refund(acme.parts, paid.id).amount_minor == 790
    acme.settle()
    assert acme.violations() == ()


def test_a_refusal_names_amounts_with_their_currency_and_what_took_the_room(acme: Company) -> None:
    paid = paid_invoice(acme)
    acme.set_clock(HALF)
    _cancel(acme, paid, Unused.BALANCE)
    credit(acme.parts, paid.id, amount_minor=200, order=ORDER)
    refunding.refund(acme.parts, paid.id, amount_minor=395)
    (made, *_) = [each for each in acme.invoices() if each.status == "credited"]
    with pytest.raises(Refused) as refused:
        credit(acme.parts, paid.id, amount_minor=1, order=ORDER)
    assert refused.value.faults[0].mend == (
        "at most 0.00 EUR can be credited: of 11.90 EUR, 3.95 EUR were refunded, 2.00 EUR were credited into the"
        f" balance, 5.95 EUR were credited for unused time by {made.number}"
    )
    with pytest.raises(Refused) as refused:
        _pay_out(acme, paid.profile_id, 1000)
    assert refused.value.faults[0].mend == "the balance holds 7.95 EUR"


def test_what_a_note_gave_back_is_not_prorated_again(acme: Company) -> None:
    paid = paid_invoice(acme)
    credit(acme.parts, paid.id, amount_minor=595, order=ORDER)
    acme.set_clock(HALF)
    _cancel(acme, paid, Unused.BALANCE)
    (note,) = [each for each in acme.invoices() if each.status == "credited" and each.corrects_id is None]
    assert note.subtotal_minor == 250, "half of the half that was left"
    acme.settle()
    assert acme.violations() == ()


def _cancel(acme: Company, invoice: Invoice, unused: Unused) -> None:
    assert invoice.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, invoice.subscription_id, when=CancelWhen.NOW, prorate=True, unused=unused)


def test_a_cancel_sends_what_is_unused_back_to_the_card(acme: Company) -> None:
    paid = paid_invoice(acme)
    acme.set_clock(HALF)
    _cancel(acme, paid, Unused.REFUND)
    acme.settle()
    assert [(each.status, each.amount_minor) for each in acme.refunds()] == [("succeeded", 595)]
    assert [each.amount_minor for each in at_provider(acme)] == [595]
    assert (acme.credit(paid.profile_id), books(acme)) == (0, (0, 595))
    assert acme.violations() == ()


def test_a_cancel_sends_nothing_back_of_what_nobody_has_paid(acme: Company) -> None:
    other = paid_invoice(acme)
    id_ = acme.begin_subscription("a1", "s2", NewItem("basic"), collection="send_invoice")
    acme.set_clock(HALF)
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True, unused=Unused.REFUND)
    acme.settle()
    assert (acme.refunds(), acme.credit(other.profile_id)) == ([], 595)
    assert acme.violations() == ()


def _pay_out(acme: Company, profile_id: UUID, amount: int | None = None) -> int:
    with acme.parts.begin() as session:
        return pay_out(acme.parts, session, profile_id, currency="eur", amount_minor=amount)


def test_a_balance_goes_back_to_the_charges_that_can_hold_it(acme: Company) -> None:
    paid = paid_invoice(acme)
    credit(acme.parts, paid.id, amount_minor=700, order=ORDER)
    assert _pay_out(acme, paid.profile_id, 300) == 300
    acme.settle()
    assert (acme.credit(paid.profile_id), acme.account("customer_credit")) == (400, -400)
    refunding.refund(acme.parts, paid.id, amount_minor=490)
    with pytest.raises(Refused) as refused:
        _pay_out(acme, paid.profile_id, 401)
    assert _code(refused) == "credit_exceeded"
    assert _pay_out(acme, paid.profile_id) == 400
    acme.settle()
    assert sum(each.amount_minor for each in at_provider(acme)) == 1190
    assert (acme.credit(paid.profile_id), books(acme)) == (0, (0, 0))
    assert acme.violations() == ()


def test_what_no_charge_can_hold_stays_in_the_balance(acme: Company, owed: Invoice) -> None:
    mark_paid(acme.parts, owed.id, amount_minor=1500)
    with pytest.raises(Refused) as refused:
        order_payout(acme.parts, owed.profile_id, currency="eur", amount_minor=None, order=ORDER)
    assert _code(refused) == "refund_exceeds_paid"
    assert (acme.credit(owed.profile_id), acme.refunds()) == (310, [])


def test_an_order_that_is_only_tried_leaves_nothing(acme: Company) -> None:
    paid = paid_invoice(acme)
    tried = Order(actor="mara", reason="a look", dry_run=True)
    credit(acme.parts, paid.id, amount_minor=700, order=tried)
    assert (acme.credit(paid.profile_id), len(acme.invoices())) == (0, 1)
    credit(acme.parts, paid.id, amount_minor=700, order=ORDER)
    order_payout(acme.parts, paid.profile_id, currency="eur", amount_minor=None, order=tried)
    acme.settle()
    assert (acme.credit(paid.profile_id), acme.refunds()) == (700, [])


def test_what_no_one_charge_can_take_is_paid_out_over_several_and_written_down(acme: Company) -> None:
    first = paid_invoice(acme)
    acme.subscribe("a1", "s2")
    acme.settle()
    for invoice in acme.invoices():
        credit(acme.parts, invoice.id, amount_minor=700, order=ORDER)
    told = order_payout(acme.parts, first.profile_id, currency="eur", amount_minor=1300, order=ORDER).told
    assert told == "13.00 EUR go back from the balance"
    acme.settle()
    assert sorted(each.amount_minor for each in at_provider(acme)) == [110, 1190]
    # What is left of a charge is what an order gives back of its invoice.
    assert refunding.refund(acme.parts, first.id, order=ORDER).amount_minor == 490
    acme.settle()
    assert acme.violations() == ()


@pytest.mark.parametrize("kind", ["refund", "credit"])
def test_notes_of_parts_add_up_to_the_invoice_rate_by_rate(acme: Company, kind: str) -> None:
    """10.01 with 19 % and 3.33 with 7 %: rounded anew in each note, a cent had gone from one rate to the other."""
    with acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=NewTaxRate("reduced", Decimal(7)))
    acme.price("paper", 1001)
    acme.price("books", 333, tax_rate="reduced")
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("paper"), NewItem("books"))
    acme.settle()
    (invoice,) = acme.invoices()
    for part in (101, 99, 7, 333, None):
        if kind == "refund":
            refunding.refund(acme.parts, invoice.id, amount_minor=part)
            acme.settle()
        else:
            credit(acme.parts, invoice.id, amount_minor=part, order=ORDER)
    notes = [each for each in acme.invoices() if each.kind == "credit_note"]
    for place, group in enumerate(invoice.tax_groups):
        for name in ("base_minor", "tax_minor"):
            parts = [note.tax_groups[place][name] for note in notes]
            assert (sum(parts), min(parts) >= 0) == (group[name], True)
    assert acme.violations() == ()


def test_a_try_before_a_note_that_settles_the_rest_was_of_an_open_invoice(acme: Company, owed: Invoice) -> None:
    mark_paid(acme.parts, owed.id, amount_minor=190)
    acme.set_clock(START + timedelta(days=4))
    acme.settle()
    assert len(acme.payments()) == 2
    acme.set_clock(START + timedelta(days=5))
    credit(acme.parts, owed.id, order=ORDER)
    acme.settle()
    assert acme.invoices()[0].status == "paid"
    assert acme.violations() == ()


def test_an_invoice_that_is_void_counts_as_billed_no_more_and_not_as_less_than_nothing(acme: Company) -> None:
    profile = acme.customer("a1", method=None)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=300, currency="eur", now=START)
    acme.subscribe("a1", "s1")
    acme.settle()
    for billed in (890, 0):
        with acme.begin() as session:
            (day,) = money_by_day(session, since=START.date(), until=START.date())
        assert (day["billed_minor"], day["collected_minor"]) == (billed, 0)
        if billed:
            void(acme.parts, acme.invoices()[0].id)
