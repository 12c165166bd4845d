"""Reconciliation: both sides are compared both ways, differences become work with actions that do what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import select, text

from billing.commands.reconciliation.run import Run
from billing.flows import comparing, reconciliation, refunding, working
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.models import Difference, Reconciliation
from billing.providers.listed import ListedMovement
from billing.providers.stripe import listing
from billing.providers.stripe.client import build_client
from billing.queries import reconciling
from billing.queries.reconciling import Found
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company
from tests.flows.comparing import WHY, compare, forget, in_the_dashboard, open_item, paid_customer
from tests.flows.refunds import paid_invoice


@pytest.fixture
def paid(acme: Company) -> UUID:
    return paid_customer(acme)


def test_what_agrees_is_no_difference_and_costs_no_row(acme: Company, paid: UUID) -> None:
    with acme.counting_statements() as statements:
        assert compare(acme) == []
    writes = [
        each for each in statements if each.lstrip().upper().startswith(("INSERT INTO BILLING", "UPDATE BILLING"))
    ]
    assert all("reconciliation" in each or "provider_rate" in each for each in writes), writes
    with acme.begin() as session:
        (run,) = session.scalars(select(Reconciliation)).all()
    assert (run.status, run.charges > 0, run.movements > 0, run.differences) == ("done", True, True, 0)


def test_money_that_came_behind_our_back_is_found_and_adopted(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.pay_behind_our_back(profile)
    ((kind, charge_ref),) = compare(acme)
    item = open_item(acme, "charge_without_attempt")
    assert (kind, item.amount_minor, item.profile_id) == ("charge_without_attempt", 1190, profile)
    assert charge_ref in str(item.error)
    assert compare(acme) == [(kind, charge_ref)]
    assert open_item(acme, kind).tries == 2, "folded: one item, counted once more"

    tried = working.act(acme.parts, item.id, action=Action.ADOPT, order=Order("ada", "trying", dry_run=True))
    assert not tried.changed
    done = working.act(acme.parts, item.id, action=Action.ADOPT, order=WHY)
    assert (done.changed, done.told) == (True, "it is the payment of invoice ACME-000001")
    again = working.act(acme.parts, item.id, action=Action.ADOPT, order=WHY)
    assert not again.changed
    assert [invoice.status for invoice in acme.invoices()] == ["paid"]
    assert acme.account("provider_clearing") == 1190
    assert compare(acme) == []
    assert acme.violations() == ()


@pytest.mark.parametrize("told", [True, False])
def test_money_of_an_earlier_intent_is_found_while_a_debit_of_its_successor_is_under_way(
    acme: Company, *, told: bool
) -> None:
    acme.witness.call("POST", "config", {"processing_s": 10 * 86_400})
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        # As one of PayPal's whose report did not show it for a day.
        session.execute(text("UPDATE billing.payment_intent SET status = 'absent'"))
    acme.give_method(profile, "pm_sandbox_processing")
    acme.settle_under_a_brake()
    assert [each.status for each in acme.payments()] == ["declined", "processing"]
    if not told:
        acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    first = min(acme.witness.intents(), key=lambda each: each.status == "processing")
    acme.confirm_behind_our_back(first.intent_ref, profile)
    if told:
        acme.wait_for(lambda: acme.witness.state().undelivered_webhooks == 0)
        acme.sweep()
    else:
        compare(acme)
        done = working.act(acme.parts, open_item(acme, "charge_without_attempt").id, action=Action.ADOPT, order=WHY)
        assert done.told == "it is booked apart; invoice ACME-000001 does not ask for it"
    item = open_item(acme, "payment_unapplied")
    assert (item.amount_minor, acme.account("unapplied_payments"), acme.invoices()[0].status) == (1190, -1190, "open")
    assert acme.payments()[-1].status == "processing"
    acme.witness.clear_faults()
    acme.set_clock(START + timedelta(days=10))
    acme.settle()
    assert (acme.invoices()[0].status, acme.account("provider_clearing")) == ("paid", 2380)
    assert working.act(acme.parts, item.id, action=Action.REFUND, order=WHY).changed
    acme.settle()
    assert (acme.account("provider_clearing"), acme.account("unapplied_payments")) == (1190, 0)
    assert {each.code for each in acme.violations()} <= {"P3", "E4"}, "nothing but what was done behind our back"


def test_what_an_event_explains_after_it_was_compared_is_no_persons_work_any_more(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_delay", "rate": 1, "ms": 1})
    acme.pay_behind_our_back(profile)
    ((kind, _),) = compare(acme)
    assert kind == "charge_without_attempt"
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid"]
    assert [each.status for each in acme.work_items() if each.kind == kind] == ["resolved"]
    assert acme.violations() == ()


def test_what_an_event_explains_before_it_is_noted_is_not_noted(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_delay", "rate": 1, "ms": 1})
    acme.pay_behind_our_back(profile)
    noting, compared = comparing._note, list[str]()

    def an_event_comes_first(parts: Parts, run: Run, batch: Sequence[Found]) -> None:
        compared.extend(found.kind for found in batch)
        if batch:
            acme.settle()
        noting(parts, run, batch)

    monkeypatch.setattr(comparing, "_note", an_event_comes_first)
    assert compare(acme) == []
    assert compared == ["charge_without_attempt"]
    assert [invoice.status for invoice in acme.invoices()] == ["paid"]
    assert [each for each in acme.work_items() if each.kind == "charge_without_attempt"] == []


def test_an_attempt_whose_charge_the_provider_lacks_is_found_asked_about_and_closed_when_it_shows(
    acme: Company, paid: UUID
) -> None:
    (payment,) = acme.payments()
    forget(acme, "UPDATE billing.payment SET charge_ref = 'ch_nowhere'")
    found = compare(acme)
    assert ("attempt_without_charge", "ch_nowhere") in found
    item = open_item(acme, "attempt_without_charge")
    assert (
        working.act(acme.parts, item.id, action=Action.REREAD, order=WHY).told == "it is still so; nothing was changed"
    )
    forget(acme, f"UPDATE billing.payment SET charge_ref = '{payment.charge_ref}'")
    assert compare(acme) == [("attempt_without_charge", "ch_nowhere")]
    working.act(acme.parts, item.id, action=Action.PARK, order=WHY)


def test_a_charge_of_another_amount_is_found_and_gone_when_both_agree(acme: Company, paid: UUID) -> None:
    forget(acme, "UPDATE billing.payment SET amount_minor = 1000")
    ((kind, _),) = compare(acme)
    assert kind == "charge_differs"
    forget(acme, "UPDATE billing.payment SET amount_minor = 1190")
    item = open_item(acme, "charge_differs")
    done = working.act(acme.parts, item.id, action=Action.REREAD, order=WHY)
    assert (done.changed, done.told) == (True, "both sides agree now; it is closed")
    assert [each.status for each in acme.work_items()] == ["resolved"]


def test_a_charge_without_its_fee_is_a_difference_after_a_day_and_so_is_a_movement_of_another_amount(
    acme: Company, paid: UUID
) -> None:
    (payment,) = acme.payments()
    shown = next(
        charge
        for page in acme.parts.provider(acme.account_id).charge_pages(
            created_from=START - timedelta(days=1), created_to=START + timedelta(days=1)
        )
        for charge in page
    )
    booked = ListedMovement("txn_1", "charge", shown.charge_ref, 1000, 30, "eur", START)
    for age, movements, expected in (
        (timedelta(hours=23), [], []),
        (timedelta(hours=25), [], ["fee_missing"]),
        (timedelta(hours=25), [booked], ["fee_missing", "movement_differs"]),
    ):
        with acme.parts.begin() as session:
            reconciling.open_lists(session)
            reconciling.empty_lists(session)
            reconciling.load_charges(session, [replace(shown, balance_ref=None)])
            reconciling.load_movements(session, movements)
            found = reconciling.differences(
                session, account_id=acme.account_id, fee_before=START + age - comparing.FEE_DUE
            )
            assert sorted(each.kind for each in found) == expected
            reconciling.drop_lists(session)
    assert payment.charge_ref == shown.charge_ref


def test_money_that_a_bank_took_back_without_a_dispute_is_a_difference(acme: Company, paid: UUID) -> None:
    taken = acme.witness.call("POST", f"charges/{acme.payments()[0].charge_ref}/reverse", {})
    found = [("movement_differs", taken["id"])]
    assert compare(acme) == found
    item = open_item(acme, "movement_differs")
    assert (item.amount_minor, item.currency) == (1190, "eur")
    working.act(acme.parts, item.id, action=Action.REREAD, order=WHY)
    assert compare(acme) == found


def test_a_refund_made_in_the_dashboard_is_found(acme: Company, paid: UUID) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    refund = in_the_dashboard(acme, "refunds", charge=str(acme.payments()[0].charge_ref), amount="200")
    assert compare(acme) == [("refund_without_record", refund["id"])]
    assert open_item(acme, "refund_without_record").amount_minor == 200


def test_one_that_a_person_discards_is_settled_and_not_raised_again(acme: Company, paid: UUID) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    charge = str(acme.payments()[0].charge_ref)
    in_the_dashboard(acme, "refunds", charge=charge, amount="200")
    compare(acme)
    item = open_item(acme, "refund_without_record")
    assert working.act(acme.parts, item.id, action=Action.DISCARD, order=WHY).changed
    with acme.begin() as session:
        assert session.scalars(select(Difference.id).where(Difference.resolved_at.is_(None))).all() == []
    assert compare(acme) == []
    assert [each.status for each in acme.work_items()] == ["discarded"]
    other = in_the_dashboard(acme, "refunds", charge=charge, amount="100")
    assert compare(acme) == [("refund_without_record", other["id"])]


def test_a_refund_whose_failure_we_never_heard_of_is_learnt(acme: Company, paid: UUID) -> None:
    refunding.refund(acme.parts, acme.invoices()[0].id)
    acme.settle()
    (refund,) = acme.refunds()
    assert refund.status == "succeeded"
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    requests.post(
        f"{acme.witness_url}/_sandbox/refunds/{refund.refund_ref}", json={"status": "failed"}, timeout=5
    ).raise_for_status()
    assert compare(acme) == []
    assert (acme.refunds()[0].status, open_item(acme, "refund_failed").amount_minor) == ("failed", 1190)


def test_so_is_one_that_fails_long_after_the_days_run_has_passed_it(acme: Company) -> None:
    acme.witness.call("POST", "config", {"refund_pending_s": 5 * 86400})
    invoice = paid_invoice(acme, "pm_card_refundFail")
    refunding.refund(acme.parts, invoice.id)
    acme.settle()
    lost = {"kind": "event_lost", "rate": 1}
    acme.witness.add_faults({**lost, "type": "refund"}, {**lost, "type": "charge.refund"})
    days = iter(range(1, 15))
    while acme.refunds()[0].status != "failed":
        acme.set_clock(START + timedelta(days=next(days)))
        reconciliation.tick(acme.parts)
    assert (next(days) > 5, open_item(acme, "refund_failed").amount_minor) == (True, 1190)
    assert acme.account("refunds_in_flight") == -1190


def test_a_charge_of_as_much_in_another_currency_is_found(acme: Company, paid: UUID) -> None:
    forget(acme, "UPDATE billing.payment SET currency = 'usd'")
    assert compare(acme) == [("charge_differs", acme.payments()[0].charge_ref)]
    forget(acme, "UPDATE billing.payment SET currency = 'eur'")
    assert compare(acme) == []


def test_a_refund_of_as_much_in_another_currency_is_found(acme: Company, paid: UUID) -> None:
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=200)
    acme.settle()
    forget(acme, "UPDATE billing.refund SET currency = 'usd'")
    assert compare(acme) == [("refund_differs", acme.refunds()[0].refund_ref)]
    forget(acme, "UPDATE billing.refund SET currency = 'eur'")
    assert compare(acme) == []


def test_a_refund_of_another_amount_than_ours_stays_a_difference_however_often_it_is_reread(
    acme: Company, paid: UUID
) -> None:
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=200)
    acme.settle()
    forget(acme, "UPDATE billing.refund SET amount_minor = 201")
    assert compare(acme) == [("refund_differs", acme.refunds()[0].refund_ref)]
    item = open_item(acme, "refund_differs")
    assert not working.act(acme.parts, item.id, action=Action.REREAD, order=WHY).changed
    forget(acme, "UPDATE billing.refund SET amount_minor = 200")
    assert working.act(acme.parts, item.id, action=Action.REREAD, order=WHY).changed


def test_a_second_refund_under_the_name_of_one_that_we_know_is_found_and_proves_no_loss_of_rows(
    acme: Company, paid: UUID
) -> None:
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=200)
    acme.settle()
    (refund,) = acme.refunds()
    same = {"charge": refund.charge_ref, "amount": "200", "metadata[refund_id]": str(refund.id)}
    second = in_the_dashboard(acme, "refunds", **same)
    assert compare(acme) == [("refund_without_record", second["id"])]
    assert [item.kind for item in acme.work_items()] == ["refund_without_record"], "nothing is paused by it"


def test_an_attempt_that_is_still_asked_about_is_no_difference(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.settle()
    forget(
        acme,
        "UPDATE billing.payment SET status = 'unknown', charge_ref = NULL, closed_at = NULL, next_check_at = now()",
        "UPDATE billing.invoice SET status = 'open', amount_remaining_minor = amount_due_minor, amount_paid_minor = 0",
    )
    assert compare(acme) == []


def test_who_is_charged_for_nothing_that_we_know_is_found_page_by_page(acme: Company, paid: UUID) -> None:
    customer = acme.customer_ref(paid)
    for _ in range(4):
        in_the_dashboard(acme, "payment_intents", amount="100", currency="eur", customer=customer, confirm="true",
              off_session="true", payment_method=str(acme.payments()[0].method_ref))  # fmt: skip
    client = build_client(api_key="sk_test_company", connect_s=1, read_s=1, base_address=acme.witness_url)
    window = listing.created(START - timedelta(days=1), START + timedelta(days=1))
    ask = client.v1.charges.list
    pages = list(listing.pages(lambda call: call(), ask, listing.charge, window, limit=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({charge.charge_ref for page in pages for charge in page}) == 5

    def sparing(params: dict[str, Any]) -> Any:
        return ask({**params, "limit": min(params["limit"], 2)})

    pages = list(listing.pages(lambda call: call(), sparing, listing.charge, window, limit=3))
    assert [len(page) for page in pages] == [3, 2], "a short page is the last, whatever Stripe puts into one"
    later = listing.created(START + timedelta(seconds=1), START + timedelta(days=1))
    assert [len(page) for page in listing.pages(lambda call: call(), ask, listing.charge, later)] == [0]
    assert [kind for kind, _ in compare(acme)] == ["charge_unexplained"] * 4


def test_a_charge_for_an_invoice_that_was_sent_is_not_adopted_and_it_is_said_why(acme: Company) -> None:
    profile = acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic"), collection="send_invoice")
    in_the_dashboard(acme, "payment_intents", amount="1190", currency="eur", customer=acme.customer_ref(profile),
          confirm="true", off_session="true", payment_method="pm_card_visa")  # fmt: skip
    assert [kind for kind, _ in compare(acme)] == ["charge_unexplained"]
    assert [(each.status, each.amount_remaining_minor) for each in acme.invoices()] == [("open", 1190)]
    with pytest.raises(Refused, match="no open invoice that is charged by itself"):
        working.act(acme.parts, open_item(acme, "charge_unexplained").id, action=Action.ADOPT, order=WHY)
