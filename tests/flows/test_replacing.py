"""Replacing a document: credited in full, issued anew as things stand now, and the money goes over."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.commands.tax_rate.put import put_tax_rate
from billing.documents.view import view
from billing.flows import braking, operating_drafts, refunding
from billing.flows.charging import charge_once
from billing.flows.crediting import credit
from billing.flows.dispute_events import adopt_dispute
from billing.flows.documents import document_facts
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import BillingPeriod, Invoice
from billing.queries.brakes import BrakeKind
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.company import START, Company
from tests.flows.refunds import at_provider, paid_invoice
from tests.wallets import bill, give

ORDER = Order(actor="mara", reason="the tax id was missing")


def _move_to_france(acme: Company) -> None:
    """Its country was France all along, and it has a tax id: reverse charge, where 19 % was billed."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET country = 'FR', has_tax_id = true, buyer_kind = 'business'"))
        # The number itself, which the law asks for on the document, is not the story here.
        session.execute(text("UPDATE billing.seller SET complete_documents = false"))


def test_a_paid_document_is_replaced_and_what_was_paid_goes_over(acme: Company) -> None:
    paid = paid_invoice(acme)
    _move_to_france(acme)
    made = replace_invoice(acme.parts, paid.id, order=ORDER)
    old, new, note = acme.invoices()[0], *sorted(acme.invoices()[1:], key=lambda each: each.kind, reverse=True)
    assert (old.status, note.kind, note.total_minor, note.tax_minor) == ("replaced", "credit_note", 1190, 190)
    assert (new.kind, new.corrects_id, new.period_start, new.period_end) == (
        "invoice",
        old.id,
        old.period_start,
        old.period_end,
    )
    assert (new.total_minor, new.tax_minor, new.reverse_charge, new.status) == (1000, 0, True, "paid")
    assert (made.carried_minor, new.amount_paid_minor, acme.credit(old.profile_id)) == (1000, 1000, 190)
    assert [acme.account(name) for name in ("receivable", "unapplied_payments", "tax_payable")] == [0, 0, 0]
    assert acme.account("deferred_revenue") == -1000
    with acme.begin() as session:
        assert session.scalars(select(BillingPeriod.invoice_id)).one() == new.id
    assert len(acme.payments()) == 1, "the provider was not asked"
    assert len(acme.told("invoice.replaced")) == 1
    assert acme.violations() == ()
    for each, said in ((old, "the document in its place"), (note, "names the invoice that it corrects")):
        with pytest.raises(Refused, match=said) as refused:
            refunding.refund(acme.parts, each.id)
        assert refused.value.code == "refund_exceeds_paid"
    assert refunding.refund(acme.parts, new.id).amount_minor == 1000
    acme.settle()
    assert [each.amount_minor for each in at_provider(acme)] == [1000]
    assert acme.violations() == ()


def test_what_a_document_asks_for_beyond_a_first_payment_is_collected(acme: Company) -> None:
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic"), first_payment=True)
    acme.settle()
    (first,) = acme.invoices()
    assert (first.status, first.on_schedule) == ("paid", False)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 30"))
    made = replace_invoice(acme.parts, first.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor) == (1190, 110)
    acme.settle()
    assert [each.amount_minor for each in acme.payments()] == [1190, 110]
    assert acme.violations() == ()


def test_an_open_document_is_replaced_and_the_new_one_collected(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_chargeCustomerFail")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=300, currency="eur", now=START)
    acme.subscribe("a1", "s1")
    acme.settle()
    (old,) = acme.invoices()
    made = replace_invoice(acme.parts, old.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor) == (300, 890)
    assert [intent.status for intent in acme.witness.intents()] == ["canceled"]
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    new = next(each for each in acme.invoices() if each.corrects_id == old.id and each.kind == "invoice")
    assert (new.status, new.amount_paid_minor, acme.payments(new)[-1].amount_minor) == ("paid", 1190, 890)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    assert acme.violations() == ()


def test_what_was_corrected_or_does_not_count_is_not_replaced(acme: Company) -> None:
    paid = paid_invoice(acme)
    tried = Order(actor="mara", reason="a look", dry_run=True)
    replace_invoice(acme.parts, paid.id, order=tried)
    assert [each.status for each in acme.invoices()] == ["paid"]
    credit(acme.parts, paid.id, amount_minor=100, order=ORDER)
    with pytest.raises(Refused) as refused:
        replace_invoice(acme.parts, paid.id, order=ORDER)
    assert refused.value.code == "invoice_corrected"
    with pytest.raises(Refused) as refused:
        replace_invoice(acme.parts, acme.invoices()[1].id, order=ORDER)
    assert refused.value.code == "invoice_not_open"


def test_a_document_is_replaced_after_the_next_period_was_billed(acme: Company) -> None:
    paid = paid_invoice(acme)
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    replace_invoice(acme.parts, paid.id, order=ORDER)
    assert acme.violations() == ()


@pytest.mark.parametrize("nothing", ["coupon", "tax inside", "no tax"])
def test_a_document_that_comes_to_nothing_is_replaced_all_the_same(acme: Company, nothing: str) -> None:
    profile = acme.customer("a1")
    if nothing == "coupon":
        acme.coupon("free", 100, duration="forever")
        acme.begin_subscription("a1", "s1", NewItem("basic"), coupon_code="free")
    else:
        acme.price("free", 0, tax_rate="standard" if nothing == "tax inside" else None)
        acme.subscribe("a1", "s1", price="free")
    acme.settle()
    (old,) = acme.invoices()
    assert (old.total_minor, old.status) == (0, "paid")
    made = replace_invoice(acme.parts, old.id, order=ORDER)
    assert (made.carried_minor, made.remaining_minor) == (0, 0)
    new = next(each for each in acme.invoices() if each.number == made.replaced_by)
    assert (new.total_minor, new.status, new.profile_id) == (0, "paid", profile)
    acme.settle()
    assert acme.violations() == ()


def test_one_that_would_come_to_less_than_nothing_is_refused_and_tax_alone_is_replaced(
    acme: Company,
) -> None:
    """+100.00 with 19 % and -119.00 without any: nothing is owed, and 19.00 of tax are."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 24"))
    acme.price("taxed", 10_000)
    acme.customer("a1")
    acme.subscribe("a1", "s1", price="taxed")
    acme.settle()
    (draft,) = acme.invoices()
    operating_drafts.add_line(
        acme.parts, draft.id, description="Back", amount_minor=-11_900, tax_rate=None, order=ORDER
    )
    operating_drafts.release(acme.parts, draft.id, order=ORDER)
    acme.settle()
    assert (acme.invoices()[0].total_minor, acme.account("tax_payable")) == (0, -1900)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 7"))
    with pytest.raises(Refused) as refusal:
        replace_invoice(acme.parts, draft.id, order=ORDER)
    assert refusal.value.code == "replacement_below_zero"
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 19"))
    replace_invoice(acme.parts, draft.id, order=ORDER)
    acme.settle()
    assert acme.account("tax_payable") == -1900
    assert acme.violations() == ()


def _rate(acme: Company, name: str, percent: int, **countries: int) -> None:
    """A rate of the seller."""
    by_country = {code: Decimal(each) for code, each in countries.items()}
    with acme.parts.begin() as session:
        put_tax_rate(session, seller_id=acme.seller_id, new=NewTaxRate(name, Decimal(percent), countries=by_country))


def _charged(acme: Company, tax_rate: str) -> Invoice:
    """100.00 EUR charged once, at one of the seller's rates."""
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        made = charge_once(
            acme.parts,
            session,
            profile,
            amount_minor=10_000,
            currency="eur",
            description="A book",
            tax_rate=tax_rate,
        )
    acme.settle()
    with acme.begin() as session:
        return session.get_one(Invoice, made.id)


@pytest.mark.parametrize(("tax_rate", "total"), [("reduced", 10_700), ("standard", 11_900)])
def test_what_was_charged_once_is_replaced_at_the_rate_that_it_was_sold_at(
    acme: Company, tax_rate: str, total: int
) -> None:
    _rate(acme, "reduced", 7)
    old = _charged(acme, tax_rate)
    assert old.total_minor == total
    replace_invoice(acme.parts, old.id, order=ORDER)
    acme.settle()
    (new,) = [each for each in acme.invoices() if each.status == "paid"]
    assert (new.total_minor, len(acme.payments())) == (total, 1)
    _move_to_france(acme)
    replace_invoice(acme.parts, new.id, order=ORDER)
    (untaxed,) = [each for each in acme.invoices() if each.status == "paid"]
    assert (untaxed.total_minor, untaxed.reverse_charge) == (10_000, True)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET country = 'DE', has_tax_id = false"))
    with pytest.raises(Refused) as refused:
        replace_invoice(acme.parts, untaxed.id, order=ORDER)
    assert refused.value.code == "tax_rate_unknown", "it bore nothing, and it may have been sold at either"
    assert acme.violations() == ()


def test_what_was_charged_once_was_supplied_then_however_often_it_is_replaced(acme: Company) -> None:
    """A corrected invoice is a whole one: art. 226 (7) asks for the day of supply where it is not the day of issue."""
    old = _charged(acme, "standard")
    for days in (10, 20):
        acme.set_clock(START + timedelta(days=days))
        (last,) = [each for each in acme.invoices() if each.status == "paid"]
        replace_invoice(acme.parts, last.id, order=ORDER)
    (new,) = [each for each in acme.invoices() if each.status == "paid"]
    facts = document_facts(acme.parts, new.id)
    assert facts.supplied_at == old.issued_at
    told = dict(view(facts, language="en").facts)
    assert (told["Date of supply"], told["Date of issue"]) == ("31 Jan 2026", "20 Feb 2026")
    assert document_facts(acme.parts, old.id).supplied_at is None


def test_where_its_rate_was_changed_since_it_is_the_standard_one_as_it_is_now(acme: Company) -> None:
    old = _charged(acme, "standard")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 20 WHERE name = 'standard'"))
    replace_invoice(acme.parts, old.id, order=ORDER)
    assert max(each.total_minor for each in acme.invoices()) == 12_000


def test_while_issuing_is_stopped_nothing_is_replaced(acme: Company) -> None:
    paid = paid_invoice(acme)
    braking.stop(acme.parts, BrakeKind.ISSUE, order=ORDER)
    with pytest.raises(Refused) as refused:
        replace_invoice(acme.parts, paid.id, order=ORDER)
    assert refused.value.code == "issuing_stopped"
    braking.start(acme.parts, BrakeKind.ISSUE, order=ORDER)
    assert replace_invoice(acme.parts, paid.id, order=ORDER).carried_minor == 1190


@pytest.mark.parametrize(("status", "code"), [("won", None), ("lost", "invoice_corrected")])
def test_what_an_open_dispute_at_paypal_holds_is_not_carried_over(
    stage: Stage, anna: UUID, status: str, code: str | None
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice, side = bill(stage, anna), stage.sides["paypal"]
    (charge,) = side.witness.charges()
    given = {"charge": charge.charge_ref, "inquiry": False}
    ref = DOORS["POST", "disputes"](side.stand_in, "", given)["dispute_id"]
    adopt_dispute(stage.parts, side.account_id, ref)
    with pytest.raises(Refused) as refused:
        replace_invoice(stage.parts, invoice, order=ORDER)
    assert refused.value.code == "charge_disputed"
    DOORS["POST", "disputes/<id>/close"](side.stand_in, ref, {"status": status})
    adopt_dispute(stage.parts, side.account_id, ref)
    if code is None:
        assert replace_invoice(stage.parts, invoice, order=ORDER).carried_minor == 1000
        return
    with pytest.raises(Refused) as refused:
        replace_invoice(stage.parts, invoice, order=ORDER)
    assert refused.value.code == code
