"""Money kept apart that doesn't go back is settled by a person: as credit, or as paid another way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.flows import restoring, rights, working
from billing.flows.operating_profiles import grant
from billing.flows.order import Done, Order
from billing.flows.replacing import replace_invoice
from billing.flows.working import Action
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.kernel.money import MOST_AMOUNT, MOST_TOTAL
from tests.flows.apart import WHY, accused, end, held, invoice_of, item_of, kept, lose, refund_in_dashboard, stray
from tests.flows.company import START, Company, company
from tests.flows.refunds import at_provider

TRANSFER = Order(actor="mara", reason="transfer 2026-02-11/17")
WAYS = {Action.CREDIT: "customer_credit", Action.PAID: "external_money"}


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh


def settle(acme: Company, action: Action, order: Order = TRANSFER) -> Done:
    return working.act(acme.parts, item_of(acme).id, action=action, order=order)


def refused(acme: Company, action: Action) -> list[str]:
    with pytest.raises(Refused) as found:
        settle(acme, action)
    return [fault.code for fault in found.value.faults]


def obstacles(acme: Company) -> set[str]:
    """What keeps the customer from being forgotten, but for what they still subscribe to and owe."""
    with pytest.raises(Refused) as found:
        rights.erase(acme.parts, invoice_of(acme).profile_id, order=WHY)
    return {fault.code for fault in found.value.faults} - {"subscription_open", "money_outstanding"}


@pytest.mark.parametrize(
    ("action", "told"), [(Action.CREDIT, "5.00 EUR are credit"), (Action.PAID, "5.00 EUR were paid another way")]
)
def test_it_leaves_what_is_kept_apart_once_and_its_invoice_goes_on(acme: Company, action: Action, told: str) -> None:
    stray(acme)
    item = item_of(acme)
    assert item.safe_actions == ["refund", "credit", "paid", "park"]
    assert settle(acme, action, Order("mara", "to see", dry_run=True)).told == told
    assert held(acme) == (500, 0, 500)
    done = settle(acme, action)
    assert (done.changed, done.told) == (True, told)
    for again in (*WAYS, Action.REFUND):
        assert not working.act(acme.parts, item.id, action=again, order=TRANSFER).changed
    assert (held(acme), acme.account(WAYS[action]), kept(acme)) == ((0, 0, 500), -500, [(500, "eur", "refunded")])
    assert (invoice_of(acme).hold_id, acme.work_items()[0].status) == (None, "resolved")
    assert acme.credit(invoice_of(acme).profile_id) == (500 if action is Action.CREDIT else 0)
    assert obstacles(acme) == ({"credit_left"} if action is Action.CREDIT else set())
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert (invoice_of(acme).status, acme.account("provider_clearing")) == ("paid", 1690)
    assert accused(acme) == [], "a person has dealt with what came beside the payment"


def test_what_is_kept_apart_keeps_its_customer_from_being_forgotten_until_it_is_settled(acme: Company) -> None:
    stray(acme)
    assert obstacles(acme) == {"money_kept_apart"}
    settle(acme, Action.PARK)
    assert obstacles(acme) == {"money_kept_apart"}
    settle(acme, Action.PAID)
    assert obstacles(acme) == set()


@pytest.mark.parametrize("action", WAYS)
@pytest.mark.parametrize("kind", [{}, {"inquiry": True}])
def test_it_is_not_settled_while_a_dispute_may_still_take_it(
    acme: Company, action: Action, kind: dict[str, bool]
) -> None:
    acme.witness.call("POST", "disputes", {"charge": stray(acme).charge_ref, **kind})
    acme.settle()
    assert refused(acme, action) == ["charge_disputed"]
    assert -acme.account("unapplied_payments") == 500


@pytest.mark.parametrize("action", WAYS)
def test_what_a_lost_dispute_has_left_is_settled_and_what_comes_back_later_is_work_again(
    acme: Company, action: Action
) -> None:
    ref = lose(acme, stray(acme).charge_ref, amount=200)
    settle(acme, action)
    assert (held(acme), acme.account(WAYS[action]), kept(acme)) == ((0, 0, 300), -300, [(500, "eur", "refunded")])
    assert accused(acme) == []
    end(acme, ref, "won")
    assert (held(acme), item_of(acme).amount_minor, kept(acme)) == ((200, 0, 500), 200, [(500, "eur", "held")])
    settle(acme, action)
    assert (held(acme), acme.account(WAYS[action])) == ((0, 0, 500), -500)
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert (invoice_of(acme).status, accused(acme)) == ("paid", [])


def test_what_a_lost_dispute_took_is_no_second_charge(acme: Company) -> None:
    lose(acme, stray(acme).charge_ref)
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert (invoice_of(acme).status, accused(acme)) == ("paid", [])


def test_what_comes_back_of_a_dispute_beside_the_payment_is_a_second_charge_until_it_is_settled(acme: Company) -> None:
    ref = lose(acme, stray(acme).charge_ref)
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    end(acme, ref, "won")
    assert {each.witnessed for each in acme.violations() if each.code == "P1"} == {True, False}
    settle(acme, Action.PAID)
    assert accused(acme) == []


def test_a_refund_of_it_that_came_back_and_was_paid_another_way_is_no_second_charge(acme: Company) -> None:
    stray(acme, card="pm_card_refundFail")
    settle(acme, Action.REFUND)
    acme.settle()
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["failed"])
    acme.settle()
    (failed,) = [each for each in acme.work_items() if each.kind == "refund_failed"]
    working.act(acme.parts, failed.id, action=Action.PAID, order=TRANSFER)
    assert (invoice_of(acme).status, held(acme)) == ("paid", (0, 0, 1690))
    assert accused(acme) == []


def test_a_dispute_of_what_was_settled_is_a_loss_and_takes_nothing_back(acme: Company) -> None:
    row = stray(acme)
    settle(acme, Action.CREDIT)
    lose(acme, row.charge_ref)
    assert (held(acme), acme.account("disputes"), acme.account("write_off")) == ((0, 0, 0), 0, 500)
    assert acme.credit(invoice_of(acme).profile_id) == 500
    assert accused(acme) == []


def test_it_is_no_credit_where_the_balance_would_be_more_than_a_document_holds(acme: Company) -> None:
    stray(acme)
    for _ in range(MOST_TOTAL // MOST_AMOUNT):
        grant(acme.parts, invoice_of(acme).profile_id, amount_minor=MOST_AMOUNT, currency="eur", order=WHY)
    grant(acme.parts, invoice_of(acme).profile_id, amount_minor=MOST_TOTAL % MOST_AMOUNT, currency="eur", order=WHY)
    assert refused(acme, Action.CREDIT) == ["balance_too_large"]
    assert held(acme) == (500, 0, 500)


@pytest.mark.parametrize("action", WAYS)
def test_nothing_is_settled_while_the_database_may_be_an_older_copy(acme: Company, action: Action) -> None:
    stray(acme)
    restoring.pause(acme.parts, evidence="a charge that we lost")
    assert refused(acme, action) == ["not_reconciled"]
    assert held(acme) == (500, 0, 500)


@pytest.mark.parametrize("action", WAYS)
def test_what_went_back_in_the_dashboard_unheard_of_is_not_settled_once_more(acme: Company, action: Action) -> None:
    charge = stray(acme).charge_ref
    for type_ in ("refund", "charge.refund"):
        acme.witness.add_faults({"kind": "event_lost", "rate": 1, "type": type_})
    refund_in_dashboard(acme, charge, 200)
    acme.settle()
    assert settle(acme, action).told.startswith("3.00 EUR")
    assert (held(acme), acme.account(WAYS[action])) == ((0, 0, 300), -300)
    assert accused(acme) == []


def test_nothing_is_settled_while_the_provider_does_not_say_what_went_back(acme: Company) -> None:
    stray(acme)
    acme.witness.add_faults({"kind": "disconnect_after", "rate": 1, "path": "/v1/refunds"})
    with pytest.raises(ProviderUnavailable):
        settle(acme, Action.PAID)
    assert held(acme) == (500, 0, 500)


def test_what_was_discarded_before_this_release_is_settled_by_its_id(acme: Company) -> None:
    stray(acme)
    item = item_of(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET safe_actions = ARRAY['park', 'discard']"))
    working.act(acme.parts, item.id, action=Action.DISCARD, order=WHY)
    assert (held(acme), invoice_of(acme).hold_id) == ((500, 0, 500), None)
    assert working.act(acme.parts, item.id, action=Action.PAID, order=TRANSFER).changed
    assert (held(acme), kept(acme)) == ((0, 0, 500), [(500, "eur", "refunded")])
    with pytest.raises(Refused, match="nothing_to_settle"):
        working.act(acme.parts, item.id, action=Action.PAID, order=TRANSFER)


def test_credit_that_no_document_would_use_is_none(acme: Company) -> None:
    stray(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.unapplied_payment SET currency = 'usd'"))
    assert refused(acme, Action.CREDIT) == ["credit_of_another_currency"]


def test_what_comes_back_holds_the_invoice_that_it_came_for_and_not_the_one_in_its_place(acme: Company) -> None:
    charge = stray(acme).charge_ref
    replace_invoice(acme.parts, invoice_of(acme).id, order=WHY)
    ref = lose(acme, charge, amount=200)
    settle(acme, Action.PAID)
    end(acme, ref, "won")
    (in_its_place,) = [each for each in acme.invoices() if each.status == "open"]
    assert (item_of(acme).amount_minor, in_its_place.hold_id) == (200, None)
    settle(acme, Action.PAID)
    acme.give_method(in_its_place.profile_id, "pm_card_visa")
    acme.settle()
    assert [each.status for each in acme.invoices() if each.kind == "invoice"] == ["replaced", "paid"]
    assert accused(acme) == []
