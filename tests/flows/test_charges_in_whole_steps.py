"""Of a debt the provider charges whole steps of its currency's units; the customer's next invoice asks for the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows import customer_page, healing, links, on_session, subscribing
from billing.kernel.failpoints import FailpointError, read_environment
from billing.models import OutboxEvent
from billing.queries.operations.timeline import timeline
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.cents import MONTHS, forwarded, invoices
from tests.flows.company import START, Company
from tests.flows.restored import AFTERWARDS, MEANWHILE, backup_of, heal


def _dinars(acme: Company, amount: int, *, method: str = "pm_card_visa") -> UUID:
    """A customer of a month in KWD, which Stripe charges in tens; 19 % come on top. Nothing is tried yet."""
    acme.price("dinar", amount, currency="kwd")
    return acme.customer("a1", method=method)


def _begin(acme: Company, *, collection: str = "automatic") -> None:
    acme.begin_subscription("a1", "s1", NewItem("dinar", 1), collection=collection)


def _amounts(acme: Company) -> tuple[list[int], list[int]]:
    """Of our attempts, and of the provider's charges."""
    return [each.amount_minor for each in acme.payments()], [each.amount_minor for each in acme.witness.charges()]


def test_what_the_provider_cannot_express_is_carried_forward_and_the_rest_is_charged(acme: Company) -> None:
    """14.685 KWD each month: the tens are charged, and two halves are a ten."""
    _dinars(acme, 12_340)
    _begin(acme)
    for month in MONTHS[:2]:
        acme.set_clock(month)
        acme.settle()
    first, second = invoices(acme)
    assert (first.status, first.total_minor, first.amount_paid_minor, first.amount_carried_forward_minor) == (
        "paid", 14_685, 14_680, 5,
    )  # fmt: skip
    assert (second.status, second.brought_forward_minor, second.amount_paid_minor) == ("paid", 5, 14_690)
    assert _amounts(acme) == ([14_680, 14_690], [14_680, 14_690])
    assert (forwarded(acme), acme.work_items()) == (0, [])
    with acme.begin() as session:
        paid = select(OutboxEvent.payload).where(OutboxEvent.topic == "invoice.paid").order_by(OutboxEvent.id)
        told = session.scalars(paid).all()
    assert [each.get("amount_carried_forward_minor") for each in told] == [5, None]
    assert acme.violations() == ()


def test_less_than_one_step_is_carried_forward_and_no_attempt_is_opened(acme: Company) -> None:
    _dinars(acme, 4)
    _begin(acme)
    acme.settle()
    (first,) = invoices(acme)
    assert (first.status, first.amount_carried_forward_minor, forwarded(acme)) == ("paid", 5, 5)
    assert (acme.payments(), acme.work_items(), acme.violations()) == ([], [], ())


def test_a_worker_that_dies_just_before_the_call_leaves_an_attempt_that_can_be_sent_again(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    _dinars(acme, 26)
    _begin(acme)
    with monkeypatch.context() as dying:
        dying.setenv("BILLING_FAILPOINTS", "charge.marked=raise")
        read_environment()
        with pytest.raises(FailpointError):
            acme.settle()
    read_environment()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    acme.settle()
    assert _amounts(acme) == ([30], [30])
    assert (invoices(acme)[0].status, forwarded(acme), acme.violations()) == ("paid", 1, ())


def test_after_a_decline_the_same_amount_is_tried_and_the_rest_stays_with_the_debt(acme: Company) -> None:
    profile_id = _dinars(acme, 12_340, method="pm_card_chargeCustomerFail")
    _begin(acme)
    acme.settle()
    (owed,) = invoices(acme)
    assert (owed.status, owed.amount_remaining_minor, forwarded(acme)) == ("open", 14_685, 0)
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert [each.amount_minor for each in acme.payments()] == [14_680, 14_680]
    assert (invoices(acme)[0].status, forwarded(acme), acme.violations()) == ("paid", 5, ())


def test_a_first_payment_in_whole_steps_begins_the_subscription(acme: Company) -> None:
    _dinars(acme, 12_340)
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("dinar"),), start=START, first_payment=True)
    id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
    acme.settle()
    (first,) = invoices(acme)
    assert (acme.subscription(id_).status, first.status, first.amount_paid_minor) == ("active", "paid", 14_680)
    assert (forwarded(acme), acme.violations()) == (5, ())


def test_who_pays_at_our_page_pays_whole_steps_and_sees_that_it_is_paid(acme: Company) -> None:
    profile_id = _dinars(acme, 12_340)
    _begin(acme, collection="send_invoice")
    assert on_session.pay(acme.parts, profile_id=profile_id).status is on_session.Paying.PAID
    assert (_amounts(acme), forwarded(acme)) == (([14_680], [14_680]), 5)
    page = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_public_url": "https://pay.x"}))
    with page.begin() as session:
        token = links.invoice_link(page, session, invoices(acme)[0].id).rpartition("/")[2]
    shown = customer_page.show(page, token)
    assert [(each.state, each.amount_minor) for each in shown.bills] == [("paid", 14_680)]
    assert acme.violations() == ()


def test_the_page_says_what_a_press_would_charge_beside_what_is_owed(acme: Company) -> None:
    profile_id = _dinars(acme, 12_340)
    _begin(acme, collection="send_invoice")
    page = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_public_url": "https://pay.x"}))
    with page.begin() as session:
        token = links.profile_link(page, session, profile_id).rpartition("/")[2]
    shown = customer_page.show(page, token)
    assert (shown.totals, shown.pays, shown.pays_by_card) == ({"kwd": 14_685}, {"kwd": 14_680}, {"kwd": 14_680})
    customer_page.pay(page, token)
    assert _amounts(acme) == ([14_680], [14_680])


def test_a_charge_that_no_attempt_asked_for_settles_what_it_fits_but_for_the_fraction(acme: Company) -> None:
    profile_id = _dinars(acme, 12_340, method="pm_card_chargeCustomerFail")
    _begin(acme)
    acme.settle()
    acme.pay_behind_our_back(profile_id)
    acme.settle()
    (paid,) = invoices(acme)
    assert (paid.status, paid.amount_paid_minor, forwarded(acme)) == ("paid", 14_680, 5)
    assert [each.kind for each in acme.payments()] == ["off_session", "adopted"]
    assert acme.violations() == ()


def test_what_is_issued_anew_after_a_restore_takes_the_charge_of_what_was_lost(acme: Company) -> None:
    with backup_of(acme) as backup:
        _dinars(acme, 12_340)
        acme.begin_subscription("a1", "s1", NewItem("dinar"), start=START + timedelta(days=1))
        backup.take()
        acme.set_clock(MEANWHILE)
        acme.settle()
        assert _amounts(acme) == ([14_680], [14_680])
        backup.restore()
        acme.set_clock(AFTERWARDS)
        acme.settle_under_a_brake()
        healing.tick(acme.parts)
        acme.settle_under_a_brake()
        heal(acme, at=AFTERWARDS)
        acme.settle()
        (anew,) = invoices(acme)
        assert (anew.status, anew.amount_paid_minor, forwarded(acme)) == ("paid", 14_680, 5)
        assert _amounts(acme) == ([14_680], [14_680])
        assert acme.violations() == ()


def test_a_first_payment_that_was_lost_begins_the_subscription_after_a_restore(acme: Company) -> None:
    with backup_of(acme) as backup:
        _dinars(acme, 12_340)
        new = NewSubscription(code="s1", account_id="a1", items=(NewItem("dinar"),), start=START, first_payment=True)
        id_ = subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id
        backup.take()
        acme.settle()
        assert acme.subscription(id_).status == "active"
        backup.restore()
        heal(acme, at=START + timedelta(hours=1))
        acme.settle()
        (first,) = invoices(acme)
        assert (acme.subscription(id_).status, first.status, first.amount_paid_minor) == ("active", "paid", 14_680)
        assert (_amounts(acme), forwarded(acme)) == (([14_680], [14_680]), 5)
        assert acme.violations() == ()


def test_an_invoice_of_which_a_fraction_is_carried_forward_is_told_as_paid(acme: Company) -> None:
    profile_id = _dinars(acme, 12_340)
    _begin(acme)
    acme.settle()
    with acme.begin() as session:
        told = [
            (row["state"], row["amount_minor"]) for row in timeline(session, profile_id) if row["what"] == "invoice"
        ]
    assert sorted(told) == [("issued", 14_685), ("paid", 14_680)]
