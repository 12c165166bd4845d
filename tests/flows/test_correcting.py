"""Correcting an open invoice: void, written off, or paid another way; what the provider knows better wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from billing.commands.credit.grant import grant_credit
from billing.commands.invoice.hold import hold_invoice
from billing.commands.price.create import create_price
from billing.flows import changing, operating
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import apply_credit, credit
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import ProviderUnavailable, ProviderUncertain, Refused, Stale
from billing.models import ExternalPayment, Invoice, WaitingLine
from billing.validators.price import NewPrice
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company

Correct = Callable[[Parts, UUID], object]
EVERY: tuple[Correct, ...] = (void, mark_uncollectible, mark_paid)
ORDER = Order(actor="mara", reason="the service was down")
DECLINING = "pm_card_chargeCustomerFail"


def _refusal(acme: Company, correct: Correct, invoice_id: UUID) -> str:
    with pytest.raises(Refused) as refusal:
        correct(acme.parts, invoice_id)
    return refusal.value.code


def _intents(acme: Company) -> list[str]:
    return [intent.status for intent in acme.witness.intents()]


def _requests(acme: Company, ending: str) -> list[str | None]:
    return [each.key for each in acme.witness.requests() if each.method == "POST" and each.path.endswith(ending)]


@pytest.fixture
def s1(acme: Company) -> UUID:
    """A subscription whose first invoice was declined and is tried again in three days."""
    acme.customer("a1", method=DECLINING)
    id_ = acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=1))
    return id_


def _open(acme: Company) -> Invoice:
    (invoice,) = [each for each in acme.invoices() if each.kind == "invoice"]
    return invoice


def test_a_void_invoice_keeps_its_number_and_has_a_cancellation(acme: Company, s1: UUID) -> None:
    void(acme.parts, _open(acme).id)
    invoice, document = acme.invoices()
    assert (invoice.number, invoice.status, invoice.total_minor) == ("ACME-000001", "void", 1190)
    assert (invoice.amount_remaining_minor, invoice.next_attempt_at) == (0, None)
    assert (document.kind, document.status, document.corrects_id) == ("cancellation", "credited", invoice.id)
    assert (document.subtotal_minor, document.tax_minor, document.total_minor) == (1000, 190, 1190)
    assert document.tax_groups == invoice.tax_groups
    assert acme.lines(document) == []
    assert [acme.account(name) for name in ("receivable", "deferred_revenue", "tax_payable")] == [0, 0, 0]
    assert acme.subscription(s1).status == "active"
    assert [topic for topic, _ in acme.told("invoice.voided", "credit_note.issued", "subscription.active")] == [
        "credit_note.issued",
        "invoice.voided",
        "subscription.active",
    ]
    assert acme.violations() == ()


def test_credit_that_a_void_invoice_used_is_given_back(acme: Company) -> None:
    profile = acme.customer("a1", method=DECLINING)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=500, currency="eur", now=START)
    acme.subscribe("a1", "s1")
    acme.settle()
    assert (_open(acme).amount_due_minor, acme.credit(profile)) == (690, 0)
    void(acme.parts, _open(acme).id)
    assert acme.credit(profile) == 500
    assert (acme.account("receivable"), acme.account("customer_credit")) == (0, -500)
    assert _open(acme).credit_applied_minor == 500, "the document is as it was issued"
    assert acme.violations() == ()


def test_a_void_takes_back_what_the_document_credited_beside_what_it_charged_and_says_so(acme: Company) -> None:
    """Both lines are of one change: whoever was given the credit alone would have had the dearer half for nothing."""
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        dearer = NewPrice("dearer", "basic", "eur", Decimal(1250), "month")
        create_price(session, seller_id=acme.seller_id, new=dearer, now=START)
    s1 = acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=14))
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, s1, items=[NewItem("dearer")])
    acme.give_method(profile, DECLINING)
    acme.set_clock(START + timedelta(days=40))
    acme.settle()
    first, second = acme.invoices()
    assert (first.status, second.status) == ("paid", "open")
    credit, *charges = sorted(line.amount_minor for line in acme.lines(second))
    assert (credit < 0, second.subtotal_minor) == (True, credit + sum(charges))
    order = Order(actor="mara", reason="agreed on the telephone")
    tried = operating.void(acme.parts, second.id, order=replace(order, dry_run=True)).told
    told = operating.void(acme.parts, second.id, order=order).told
    for each in (tried, told):
        assert f"What its lines credited for unused time ({-credit / 100:.2f} EUR of {first.number})" in each
    assert acme.credit(profile) == 0
    with acme.begin() as session:
        assert session.scalars(select(WaitingLine)).all() == []
    assert [acme.account(name) for name in ("receivable", "customer_credit")] == [0, 0]
    assert acme.violations() == ()


def test_what_is_written_off_is_owed_no_more_and_never_tried_again(acme: Company, s1: UUID) -> None:
    mark_uncollectible(acme.parts, _open(acme).id)
    assert (_open(acme).status, _open(acme).amount_remaining_minor) == ("uncollectible", 1190)
    assert (acme.account("write_off"), acme.account("receivable")) == (1190, 0)
    assert acme.subscription(s1).status == "active"
    acme.give_method(_open(acme).profile_id, "pm_card_visa")
    acme.set_clock(START + timedelta(days=15))
    acme.settle()
    assert len(acme.payments(_open(acme))) == 1
    assert [payload["invoice_id"] for _, payload in acme.told("invoice.uncollectible")] == [str(_open(acme).id)]
    assert acme.violations() == ()


@pytest.mark.parametrize("written_off_first", [False, True])
def test_money_that_came_another_way_pays_an_invoice(acme: Company, s1: UUID, *, written_off_first: bool) -> None:
    if written_off_first:
        mark_uncollectible(acme.parts, _open(acme).id)
    mark_paid(acme.parts, _open(acme).id, reference="transfer 17")
    invoice = _open(acme)
    assert (invoice.status, invoice.amount_paid_minor, invoice.amount_remaining_minor) == ("paid", 1190, 0)
    assert invoice.paid_at == START + timedelta(days=1)
    with acme.begin() as session:
        kept = session.scalars(select(ExternalPayment)).one()
    assert (kept.amount_minor, kept.currency, kept.reference) == (1190, "eur", "transfer 17")
    assert [acme.account(name) for name in ("external_money", "write_off", "receivable")] == [1190, 0, 0]
    assert acme.subscription(s1).status == "active"
    assert [payload["amount_paid_minor"] for _, payload in acme.told("invoice.paid")] == [1190]
    assert [payment.status for payment in acme.payments()] == ["declined"]
    assert acme.violations() == ()


@pytest.mark.parametrize("correct", EVERY)
def test_the_intent_is_canceled_at_the_provider_first(acme: Company, s1: UUID, correct: Correct) -> None:
    correct(acme.parts, _open(acme).id)
    assert _intents(acme) == ["canceled"]
    assert _requests(acme, "/cancel") == [f"{acme.payments()[0].id}:cancel"]


@pytest.mark.parametrize("correct", EVERY)
def test_without_a_method_the_provider_is_not_asked(acme: Company, correct: Correct) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    correct(acme.parts, _open(acme).id)
    assert _open(acme).status != "open"
    assert list(acme.witness.intents()) == []
    assert acme.violations() == ()


@pytest.mark.parametrize("correct", EVERY)
def test_while_an_attempt_is_in_flight_nothing_is_corrected(acme: Company, correct: Correct) -> None:
    acme.customer("a1", method="pm_sandbox_processing")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert _refusal(acme, correct, _open(acme).id) == "payment_in_flight"
    assert (_open(acme).status, _intents(acme)) == ("open", ["processing"])
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: _intents(acme) == ["succeeded"])
    acme.settle()
    assert _open(acme).status == "paid"


@pytest.mark.parametrize("correct", EVERY)
def test_money_that_the_provider_has_already_wins(acme: Company, s1: UUID, correct: Correct) -> None:
    acme.pay_behind_our_back(_open(acme).profile_id)
    assert _refusal(acme, correct, _open(acme).id) == "payment_in_flight"
    assert (_open(acme).status, _intents(acme)) == ("open", ["succeeded"])
    assert len(acme.invoices()) == 1
    acme.settle()
    assert (_open(acme).status, acme.account("external_money"), acme.account("write_off")) == ("paid", 0, 0)
    assert acme.violations() == (), "somebody else confirmed: the charge is adopted, and accuses nobody"


@pytest.mark.parametrize("correct", EVERY)
@pytest.mark.parametrize(
    ("fault", "steps"),
    [
        ("timeout_before", ["cancel", "cancel"]),
        ("timeout_after", ["cancel", "cancel"]),
        ("disconnect_after", ["cancel", "cancel"]),
        ("rate_limit", ["cancel", "cancel"]),
        ("error_500_after", ["cancel", "cancel"]),
        # The provider keeps a 500 under its key, too: asked again it says so, the intent shows that nothing was done.
        ("error_500_before", ["cancel", "cancel", "cancel_2"]),
    ],
)
def test_while_the_provider_does_not_answer_nothing_is_corrected_and_then_it_is(
    acme: Company, s1: UUID, correct: Correct, fault: str, steps: list[str]
) -> None:
    acme.witness.add_faults({"kind": fault, "next": 1, "path": "/v1/payment_intents"})
    with pytest.raises((ProviderUnavailable, ProviderUncertain)):
        correct(acme.parts, _open(acme).id)
    assert _open(acme).status == "open"
    correct(acme.parts, _open(acme).id)
    assert _open(acme).status != "open"
    assert _intents(acme) == ["canceled"]
    assert _requests(acme, "/cancel") == [f"{acme.payments()[0].id}:{step}" for step in steps], "first, the same key"
    assert acme.violations() == ()


@pytest.mark.parametrize(
    "refused",
    [
        lambda parts, id_: void(parts, id_, order=replace(ORDER, expected_version=99)),
        lambda parts, id_: replace_invoice(parts, id_, order=replace(ORDER, expected_version=99)),
        lambda parts, id_: credit(parts, id_, amount_minor=1191, order=ORDER),
        lambda parts, id_: apply_credit(parts, id_, order=ORDER),
        lambda parts, id_: mark_paid(parts, id_, received_at=START + timedelta(days=9), order=ORDER),
        lambda parts, id_: replace_invoice(parts, id_, order=ORDER),
    ],
)
def test_what_is_refused_leaves_the_intent_at_the_provider_alone(acme: Company, s1: UUID, refused: Correct) -> None:
    with acme.parts.begin() as session:
        # What is on hold is not issued anew.
        session.execute(text("UPDATE billing.profile SET hold_id = gen_random_uuid()"))
    before = list(acme.witness.requests())
    with pytest.raises((Refused, Stale)):
        refused(acme.parts, _open(acme).id)
    assert list(acme.witness.requests()) == before
    assert len(acme.invoices()) == 1


def test_after_a_correction_that_went_no_further_than_the_provider_it_is_charged_as_before(
    acme: Company, s1: UUID
) -> None:
    with acme.parts.begin() as session:
        session.execute(text("ALTER TABLE billing.audit_trail ADD CONSTRAINT never CHECK (actor <> 'mara')"))
    with pytest.raises(IntegrityError):
        mark_uncollectible(acme.parts, _open(acme).id, order=ORDER)
    assert (_open(acme).status, _intents(acme)) == ("open", ["canceled"])
    acme.give_method(_open(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert (_open(acme).status, _intents(acme)) == ("paid", ["canceled", "succeeded"])
    assert acme.violations() == ()


def test_what_is_not_owed_is_not_corrected(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    for correct in EVERY:
        assert _refusal(acme, correct, _open(acme).id) == "invoice_not_open"
        assert _refusal(acme, correct, uuid4()) == "invoice_not_found"
    assert _requests(acme, "/cancel") == []


def test_what_is_void_or_written_off_is_corrected_once(acme: Company, s1: UUID) -> None:
    mark_uncollectible(acme.parts, _open(acme).id)
    assert _refusal(acme, void, _open(acme).id) == "invoice_not_open"
    assert _refusal(acme, mark_uncollectible, _open(acme).id) == "invoice_not_open"
    mark_paid(acme.parts, _open(acme).id)
    for correct in EVERY:
        assert _refusal(acme, correct, _open(acme).id) == "invoice_not_open"


def test_a_cancellation_is_itself_not_corrected(acme: Company, s1: UUID) -> None:
    void(acme.parts, _open(acme).id)
    for each in acme.invoices():
        for correct in EVERY:
            assert _refusal(acme, correct, each.id) == "invoice_not_open"
    assert len(acme.invoices()) == 2


def test_what_a_person_was_asked_about_is_answered_by_a_correction(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        invoice = session.get_one(Invoice, _open(acme).id)
        hold_invoice(session, invoice=invoice, summary="It could not be charged.", error="a fault", now=START)
    mark_paid(acme.parts, _open(acme).id)
    assert [(item.kind, item.status) for item in acme.work_items()] == [("invoice_not_charged", "resolved")]
