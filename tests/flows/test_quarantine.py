"""Quarantine: a customer whose rows disagree is parked before the next charge; everybody else goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.payment.unapplied import keep_charge
from billing.commands.profile.quarantine import quarantine as park
from billing.flows import collection, drafts, operating_drafts, quarantine, refunding, renewal, resolution, working
from billing.flows.audit_report import Violation
from billing.flows.correcting import void
from billing.flows.crediting import credit
from billing.flows.order import Order
from billing.kernel.errors import Refused
from billing.models import Invoice, Payment, Profile
from billing.providers.port import ChargeFacts
from billing.queries.invoice import lock_invoice
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company
from tests.flows.line import WORK
from tests.flows.refunds import paid_invoice

WHY = Order(actor="ada", reason="it disagrees")


@pytest.fixture
def two(acme: Company) -> tuple[UUID, UUID]:
    """Two customers with an open invoice each, to be tried again in three days."""
    ids = []
    for name in ("1", "2"):
        ids.append(acme.customer(f"a{name}", method="pm_card_visa_chargeDeclinedInsufficientFunds"))
        acme.subscribe(f"a{name}", f"s{name}")
    acme.settle()
    for id_ in ids:
        acme.give_method(id_, "pm_card_visa")
    return ids[0], ids[1]


def _break(acme: Company, statement: str, **values: object) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement), values)


def _held(acme: Company, profile_id: UUID) -> bool:
    with acme.begin() as session:
        return session.get_one(Profile, profile_id).hold_id is not None


def test_a_debt_that_the_books_do_not_confirm_is_not_charged_and_its_customer_is_parked(
    acme: Company, two: tuple[UUID, UUID]
) -> None:
    broken, sound = two
    _break(acme, "UPDATE billing.invoice SET amount_remaining_minor = 1000 WHERE profile_id = :id", id=broken)
    acme.settle_under_a_brake()
    assert (_held(acme, broken), _held(acme, sound)) == (True, False)
    by_customer = {invoice.profile_id: invoice.status for invoice in acme.invoices()}
    assert by_customer == {broken: "open", sound: "paid"}
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert (item.kind, item.profile_id, item.safe_actions) == ("customer_quarantined", broken, ["retry", "park"])
    assert "in the books 1190 eur are owed, by its row 1000" in str(item.error)


def test_what_the_audit_finds_parks_its_customer_before_the_next_period_is_billed(acme: Company) -> None:
    broken = acme.customer("a1")
    acme.customer("a2")
    for name in ("1", "2"):
        acme.subscribe(f"a{name}", f"s{name}")
    acme.settle()
    _break(
        acme,
        "UPDATE billing.billing_period SET ends_at = ends_at - interval '1 day' FROM billing.subscription s "
        "WHERE s.id = subscription_id AND s.profile_id = :id",
        id=broken,
    )
    found = [each for each in acme.violations() if each.code == "R1"]
    assert found
    assert quarantine.park_customers(acme.parts, found) == 1
    assert quarantine.park_customers(acme.parts, found) == 0
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    assert sum(invoice.profile_id == broken for invoice in acme.invoices()) == 1
    assert len(acme.invoices()) == 3


def _with_a_period(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()


def _without(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")


def _asked_without_an_answer(acme: Company) -> None:
    for number, method in enumerate(["pm_sandbox_timeoutAfterCharge", "pm_sandbox_timeoutBeforeCharge"]):
        acme.customer(f"a{number}", method=method)
        acme.subscribe(f"a{number}", f"s{number}")
    renewal.plan(acme.parts)
    while message := acme.line.take():
        task, ids = message
        if task in (RENEWALS_BILL, COLLECTIONS_CHARGE):
            WORK[task.name](acme.parts, *map(UUID, ids))
    assert [each.status for each in acme.payments()] == ["unknown"] * 2


def _declined(acme: Company) -> None:
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()


def _asked_to_give_back(acme: Company) -> None:
    refunding.refund(acme.parts, paid_invoice(acme).id, amount_minor=100)


def _disputed(acme: Company) -> None:
    paid_invoice(acme)
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    acme.wait_for(lambda: acme.witness.state().undelivered_webhooks == 0)


LEFT = [_with_a_period, _without, _asked_without_an_answer, _declined, _asked_to_give_back, _disputed]


@pytest.mark.parametrize(("leave", "days"), [(_without, 0.02), *((each, 40) for each in LEFT)])
def test_what_is_only_late_parks_nobody_and_is_done_once_workers_are_back(
    acme: Company, leave: Callable[[Company], None], days: float
) -> None:
    leave(acme)
    acme.set_clock(START + timedelta(days=days))
    late = acme.violations()
    assert ("R6" in {each.code for each in late}) is (days > 1 or leave is _without)
    assert (quarantine.park_customers(acme.parts, late), late) == (0, late)
    acme.settle()
    assert acme.violations() == ()


def test_what_only_the_provider_has_parks_nobody_and_whoever_else_is_found_all_the_same(acme: Company) -> None:
    invoice = paid_invoice(acme)
    theirs = Violation("P5", "refund", "re_made_by_hand", "the provider has it, we have none", witnessed=True)
    ours = Violation("L4", "invoice", str(invoice.id), "shows less to pay than the books", witnessed=False)
    assert quarantine.park_customers(acme.parts, [theirs, ours]) == 1
    assert _held(acme, invoice.profile_id)


def _park(acme: Company, profile_id: UUID) -> None:
    with acme.parts.begin() as session:
        park(session, profile_id=profile_id, detail="a test", now=acme.parts.clock.now(session))


def _refund(acme: Company, invoice: Invoice) -> None:
    refunding.refund(acme.parts, invoice.id, amount_minor=100)


def _credit(acme: Company, invoice: Invoice) -> None:
    credit(acme.parts, invoice.id, amount_minor=100, order=WHY)


@pytest.mark.parametrize("give_back", [_refund, _credit])
def test_a_person_gives_back_what_a_parked_customer_had_paid(
    acme: Company, give_back: Callable[[Company, Invoice], None]
) -> None:
    invoice = paid_invoice(acme)
    _park(acme, invoice.profile_id)
    give_back(acme, invoice)
    acme.settle()
    (note,) = [each for each in acme.invoices() if each.kind == "credit_note"]
    assert note.total_minor == 100
    assert acme.violations() == ()


def test_a_person_takes_back_what_a_parked_customer_owes(acme: Company, two: tuple[UUID, UUID]) -> None:
    parked, _ = two
    _park(acme, parked)
    (invoice,) = [each for each in acme.invoices() if each.profile_id == parked]
    assert void(acme.parts, invoice.id, order=WHY).status == "void"
    assert acme.violations() == ()


def test_the_first_payment_that_was_under_way_when_its_customer_was_parked_issues_its_draft(acme: Company) -> None:
    profile_id = acme.customer("a1", method="pm_sandbox_timeoutAfterCharge")
    acme.begin_subscription("a1", "s1", NewItem("basic"), first_payment=True)
    for task, ids in tuple(acme.line.messages):
        if task == COLLECTIONS_CHARGE:
            collection.charge(acme.parts, UUID(ids[0]))
    assert [each.status for each in acme.payments()] == ["unknown"]
    _park(acme, profile_id)
    acme.settle()
    assert [(each.status, each.number) for each in acme.invoices()] == [("paid", "ACME-000001")]
    assert acme.violations() == ()


@pytest.mark.parametrize("held", ["customer", "invoice"])
def test_a_key_whose_outcome_is_unknown_is_not_sent_again_while_a_person_is_to_look(acme: Company, held: str) -> None:
    profile_id = acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    renewal.plan(acme.parts)
    acme.run_messages()
    assert [each.status for each in acme.payments()] == ["unknown"]
    if held == "customer":
        _park(acme, profile_id)
    else:
        _keep_apart(acme)
    acme.wait_for(lambda: resolution.resolve(acme.parts) == 1)
    assert [each.status for each in acme.payments()] == ["unknown"]
    assert list(acme.witness.charges()) == []
    (item,) = acme.work_items()
    action = working.Action.RETRY if held == "customer" else working.Action.PAID
    working.act(acme.parts, item.id, action=action, order=WHY)
    acme.settle()
    assert [each.status for each in acme.payments()] == ["succeeded"]


def _keep_apart(acme: Company) -> None:
    """Money comes for the invoice by an earlier intent."""
    with acme.parts.begin() as session:
        invoice = lock_invoice(session, acme.invoices()[0].id)
        (payment,) = session.scalars(select(Payment)).all()
        charge = ChargeFacts("ch_earlier", "succeeded", 1190, "eur", START)
        keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=START)


def test_drafts_of_a_parked_customer_wait_and_are_edited_but_not_released(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(draft_review_h=24)) as acme:
        profile_id = acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        (draft,) = acme.invoices()
        _park(acme, profile_id)
        operating_drafts.add_line(
            acme.parts, draft.id, description="Setup", amount_minor=500, tax_rate="standard", order=WHY
        )
        with pytest.raises(Refused) as refused:
            operating_drafts.release(acme.parts, draft.id, order=WHY)
        assert refused.value.code == "profile_on_hold"
        acme.set_clock(START + timedelta(hours=24))
        assert drafts.sweep(acme.parts) == 0
        assert [each.status for each in acme.invoices()] == ["draft"]
