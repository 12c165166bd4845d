"""An invoice that is owed is paid out of its customer's balance, by a person's order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, external_money, refunding
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import apply_credit
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import AuditRecord, Invoice, Subscription
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company
from tests.flows.disputes import end, the_dispute

ORDER = Order(actor="mara", reason="what is unused pays it")


def _fill(acme: Company, profile_id: UUID, amount_minor: int) -> None:
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile_id, amount_minor=amount_minor, currency="eur", now=acme.now())


def _first(acme: Company) -> Invoice:
    return acme.invoices()[0]


def test_what_a_cancel_gave_back_of_an_unpaid_invoice_pays_it_and_nobody_keeps_a_gift(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None)
    acme.begin_subscription("a1", "s1", NewItem("basic", 1), collection="send_invoice", days_until_due=14)
    acme.settle()
    acme.set_clock(START + timedelta(days=7))
    with acme.parts.begin() as session:
        subscription = session.scalars(select(Subscription)).one()
        changing.cancel(acme.parts, session, subscription.id, when=CancelWhen.NOW, prorate=True)
    given = acme.credit(profile_id)
    assert 0 < given < 1190
    apply_credit(acme.parts, _first(acme).id, order=ORDER)
    invoice = _first(acme)
    assert (invoice.status, invoice.amount_remaining_minor, acme.credit(profile_id)) == ("open", 1190 - given, 0)
    with pytest.raises(Refused) as refused:
        void(acme.parts, invoice.id)
    assert refused.value.code == "invoice_partly_settled"
    external_money.mark_paid(acme.parts, invoice.id, reference="statement 7")
    assert (_first(acme).status, acme.account("receivable"), acme.account("customer_credit")) == ("paid", 0, 0)
    assert acme.account("external_money") == 1190 - given
    assert acme.violations() == ()


def test_only_the_rest_is_charged_and_only_that_is_refunded(acme: Company, owed: Invoice) -> None:
    _fill(acme, owed.profile_id, 300)
    made = apply_credit(acme.parts, owed.id, order=ORDER)
    assert (made.owed_minor, made.remaining_minor, made.note) == (1190, 890, None)
    assert (acme.account("promotional_credit"), acme.account("customer_credit"), acme.account("receivable")) == (
        300,
        0,
        890,
    )
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    assert [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"] == [890]
    assert (_first(acme).status, _first(acme).amount_paid_minor) == ("paid", 1190)
    assert refunding.refund(acme.parts, owed.id).amount_minor == 890
    acme.settle()
    assert acme.violations() == ()


def test_paid_in_full_its_subscription_recovers_and_the_order_stands_in_the_trail(acme: Company, owed: Invoice) -> None:
    _fill(acme, owed.profile_id, 2000)
    apply_credit(acme.parts, owed.id, order=replace(ORDER, dry_run=True))
    assert (_first(acme).status, acme.credit(owed.profile_id)) == ("open", 2000)
    apply_credit(acme.parts, owed.id, order=ORDER)
    with acme.begin() as session:
        subscription = session.scalars(select(Subscription)).one()
        (trail,) = session.scalars(select(AuditRecord).where(AuditRecord.action == "invoice.apply_credit"))
    assert (subscription.status, _first(acme).status, acme.credit(owed.profile_id)) == ("active", "paid", 810)
    assert trail.before == {"status": "open", "amount_remaining_minor": 1190}
    assert trail.after == {"status": "paid", "amount_remaining_minor": 0}
    assert [intent.status for intent in acme.witness.intents()] == ["canceled"]
    assert [each["invoice_id"] for _, each in acme.told("invoice.paid")] == [str(owed.id)]
    replace_invoice(acme.parts, owed.id, order=ORDER)
    assert (acme.credit(owed.profile_id), acme.account("receivable")) == (810, 0)
    assert acme.violations() == ()


def test_of_what_was_written_off_as_much_is_taken_back(acme: Company, owed: Invoice) -> None:
    mark_uncollectible(acme.parts, owed.id)
    _fill(acme, owed.profile_id, 1190)
    apply_credit(acme.parts, owed.id, amount_minor=190, order=ORDER)
    assert (_first(acme).status, _first(acme).amount_remaining_minor) == ("uncollectible", 1000)
    assert (acme.account("write_off"), acme.account("receivable"), acme.credit(owed.profile_id)) == (1000, 0, 1000)
    apply_credit(acme.parts, owed.id, order=ORDER)
    assert (_first(acme).status, acme.account("write_off"), acme.account("customer_credit")) == ("paid", 0, 0)
    assert acme.violations() == ()


@pytest.mark.parametrize(("there", "amount"), [(0, None), (300, 301), (2000, 1191), (300, 0), (300, -1)])
def test_no_more_than_is_there_or_is_owed(acme: Company, owed: Invoice, there: int, amount: int | None) -> None:
    if there:
        _fill(acme, owed.profile_id, there)
    with pytest.raises(Refused) as refused:
        apply_credit(acme.parts, owed.id, amount_minor=amount, order=ORDER)
    code = "out_of_range" if amount is not None and amount < 1 else "credit_exceeded"
    assert (refused.value.code, refused.value.faults[0].field) == (code, "amount")
    assert (_first(acme).amount_remaining_minor, acme.credit(owed.profile_id)) == (1190, there)
    assert acme.violations() == ()


def test_credit_in_another_currency_pays_nothing_and_nothing_is_paid_twice(acme: Company, owed: Invoice) -> None:
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=owed.profile_id, amount_minor=5000, currency="usd", now=acme.now())
    with pytest.raises(Refused, match="credit_exceeded"):
        apply_credit(acme.parts, owed.id, order=ORDER)
    _fill(acme, owed.profile_id, 5000)
    apply_credit(acme.parts, owed.id, order=ORDER)
    with pytest.raises(Refused, match="invoice_not_open"):
        apply_credit(acme.parts, owed.id, order=ORDER)
    assert (acme.credit(owed.profile_id), acme.violations()) == (3810, ())


@pytest.mark.parametrize("by_credit", [True, False])
def test_a_lost_dispute_of_a_refunded_charge_opens_nothing_of_what_came_beside_it(
    acme: Company, owed: Invoice, *, by_credit: bool
) -> None:
    if by_credit:
        _fill(acme, owed.profile_id, 300)
        apply_credit(acme.parts, owed.id, order=ORDER)
    else:
        external_money.mark_paid(acme.parts, owed.id, amount_minor=300, reference="statement 7", order=ORDER)
    acme.give_method(owed.profile_id, "pm_card_visa")
    acme.settle()
    assert refunding.refund(acme.parts, owed.id).amount_minor == 890
    acme.settle()
    (charge,) = [each for each in acme.witness.charges() if each.status == "succeeded"]
    opened = acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, "amount": 890})
    acme.settle()
    end(acme, str(opened["id"]), "lost")
    assert (the_dispute(acme).reopened_minor, the_dispute(acme).decision) == (0, "write_off")
    assert (acme.account("receivable"), acme.account("write_off")) == (0, 890)
    assert acme.violations() == ()
