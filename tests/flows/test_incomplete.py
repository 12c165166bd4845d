"""Incomplete: active only once the first payment has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.orm import sessionmaker

from billing.commands.invoice.hold import hold_invoice
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import (
    braking,
    changing,
    collection,
    customer_page,
    drafts,
    incomplete,
    links,
    on_session,
    previewing,
    upkeep,
    working,
)
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.models import Invoice, LedgerEntry
from billing.queries.brakes import BrakeKind
from billing.sandbox.embedded.processes import wait_until
from billing.validators.subscription import NewItem
from tests.flows.beginning import DECLINED, begin, holds, topics
from tests.flows.company import START, Company
from tests.flows.test_start import somebody_waits


def test_it_waits_with_a_draft_that_nobody_has_booked(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    assert acme.subscription(id_).status == "incomplete"
    (draft,) = acme.invoices()
    assert (draft.status, draft.number) == ("draft", None)
    assert [payment.status for payment in acme.payments()] == ["declined"]
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 0
    holds(acme)


def test_what_can_not_be_done_about_it_yet_is_not_previewed_either(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    with acme.begin() as session, pytest.raises(Refused) as change:
        previewing.preview_change(acme.parts, session, id_, items=[NewItem("basic", 2)])
    with acme.begin() as session, pytest.raises(Refused) as cancel:
        previewing.preview_cancel(acme.parts, session, id_, when=CancelWhen.NOW)
    assert {change.value.code, cancel.value.code} == {"subscription_incomplete"}


def test_the_first_payment_issues_the_draft_and_activates_it(acme: Company) -> None:
    id_ = begin(acme, "pm_card_visa")
    acme.settle()
    subscription = acme.subscription(id_)
    (invoice,) = acme.invoices()
    assert (subscription.status, subscription.expires_at) == ("active", None)
    assert (invoice.status, invoice.number, invoice.amount_paid_minor) == ("paid", "ACME-000001", 1190)
    assert {"subscription.active", "invoice.issued", "invoice.paid"} <= topics(acme)
    acme.set_clock(START.replace(month=2, day=28))
    acme.settle()
    assert [each.number for each in acme.invoices()] == ["ACME-000001", "ACME-000002"]
    holds(acme)


@pytest.mark.parametrize("method", ["pm_sandbox_timeoutAfterCharge", "pm_sandbox_timeoutBeforeCharge"])
def test_an_outcome_that_is_unknown_at_first_activates_it_once(acme: Company, method: str) -> None:
    id_ = begin(acme, method)
    acme.settle()
    assert acme.subscription(id_).status == "active"
    assert [each.status for each in acme.invoices()] == ["paid"]
    holds(acme)


def test_a_method_that_works_is_tried_at_once(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    acme.give_method(acme.subscription(id_).profile_id, "pm_card_visa")
    acme.settle()
    assert acme.subscription(id_).status == "active"


def test_a_customer_who_pays_by_debit_is_told_at_once_that_it_can_not_come_in_time(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_sepa")
    with pytest.raises(Refused) as refusal:
        acme.begin_subscription("a1", "s1", NewItem("basic"), first_payment=True)
    (fault,) = refusal.value.faults
    assert (fault.field, fault.code) == ("first_payment", "first_payment_takes_days")
    assert "s1" in fault.mend
    acme.begin_subscription("a1", "s1", NewItem("basic"))
    acme.price("dollars", 1000, currency="usd")
    id_ = acme.begin_subscription("a1", "s2", NewItem("dollars"), first_payment=True)
    assert acme.subscription(id_).status == "incomplete", "a debit brings no dollars: it waits for another method"


def test_a_debit_that_becomes_the_default_meanwhile_is_not_begun_and_a_card_still_is(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    profile_id = acme.subscription(id_).profile_id
    acme.give_method(profile_id, "pm_sandbox_sepa")
    acme.settle()
    assert [each.status for each in acme.payments()] == ["declined"]
    assert "invoice.debit_upcoming" not in topics(acme), "no day is told on which nothing is debited"
    with pytest.raises(Refused) as refusal:
        on_session.pay(acme.parts, profile_id=profile_id)
    assert refusal.value.code == "payment_method_missing"
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert acme.subscription(id_).status == "active"
    holds(acme)


def test_the_page_says_that_an_account_takes_too_long_and_offers_none(acme: Company) -> None:
    id_ = begin(acme, None)
    acme.settle()
    profile_id = acme.subscription(id_).profile_id
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.seller SET method_kinds = '{card,sepa_debit}', creditor_id = 'DE98ZZZ09999999999'")
        )
    urls = {"billing_public_url": "https://pay.example.com", "stripe_publishable_key": "pk_test_1"}
    page = replace(acme.parts, settings=acme.parts.settings.model_copy(update=urls))
    with page.begin() as session:
        token = links.profile_link(page, session, profile_id).rpartition("/")[2]
    assert customer_page.show(page, token).mandate is None
    acme.give_method(profile_id, "pm_sandbox_sepa")
    acme.settle()
    shown = customer_page.show(page, token)
    assert (shown.message, shown.can_pay, shown.cards) == ("account_takes_days", False, True)
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    assert customer_page.show(page, token).mandate is not None


def test_it_is_not_changed_while_it_waits(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    with acme.parts.begin() as session, pytest.raises(Refused) as refusal:
        changing.pause(acme.parts, session, id_)
    assert refusal.value.code == "subscription_incomplete"


def test_the_work_of_a_draft_that_is_held_stays_while_it_holds(acme: Company) -> None:
    begin(acme, DECLINED)
    acme.settle()
    (draft,) = acme.invoices()
    with acme.parts.begin() as session:
        held = session.get_one(Invoice, draft.id)
        hold_invoice(session, invoice=held, summary="It can't be sent.", error="amount_too_small", now=START)
    upkeep.close_gone_work(acme.parts)
    (item,) = acme.work_items()
    assert (acme.invoices()[0].hold_id, item.status) == (item.id, "open")


def test_the_work_of_an_account_that_refuses_us_stays_while_a_first_payment_waits_for_it(acme: Company) -> None:
    begin(acme, "pm_card_visa")
    acme.revoke_key()
    collection.plan(acme.parts)
    acme.run_messages()
    (item,) = acme.work_items()
    assert (item.kind, [each.status for each in acme.payments()]) == ("provider_refuses_account", ["not_sent"])
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=Order(actor="ada", reason="a new key"))
    assert [(each.status, each.next_try_at) for each in acme.work_items()] == [("open", START)]
    assert acme.invoices()[0].charge_not_before is None


def _subscribe_to(acme: Company, price: str, method: str | None, **given: object) -> UUID:
    acme.customer("a1", method=method)
    return acme.begin_subscription("a1", "s1", NewItem(price), first_payment=True, **given)


def test_the_period_that_began_before_the_first_payment_is_owed_like_any_other(acme: Company) -> None:
    id_ = _subscribe_to(acme, "basic", None, start=START, anchor=START + timedelta(days=14))
    acme.set_clock(START + timedelta(days=14))
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["draft", "draft"]
    acme.give_method(acme.subscription(id_).profile_id, "pm_card_visa")
    _try_next(acme, later=START + timedelta(days=16))
    acme.settle()
    assert sorted(each.status for each in acme.invoices()) == ["draft", "paid"]
    assert acme.subscription(id_).status == "active"
    assert (incomplete.part_with(acme.parts), drafts.sweep(acme.parts)) == (1, 1)
    acme.settle()
    assert [(each.status, each.number) for each in acme.invoices()] == [
        ("paid", "ACME-000001"), ("paid", "ACME-000002"),
    ]  # fmt: skip
    holds(acme)


def test_nobody_is_accused_of_the_second_draft_that_was_tried_as_well(acme: Company) -> None:
    """Declined while the subscription waited for a payment, it is a draft for as long as nothing may be issued."""
    acme.price("big", 100_000)
    id_ = _subscribe_to(acme, "big", None, start=START, anchor=START + timedelta(hours=12))
    acme.set_clock(START + timedelta(hours=12))
    acme.settle()
    acme.give_method(acme.subscription(id_).profile_id, DECLINED)
    acme.settle()
    assert sorted((each.status, each.invoice_id) for each in acme.payments()) == sorted(
        ("declined", each.id) for each in acme.invoices()
    )
    holds(acme)
    braking.stop(acme.parts, BrakeKind.ISSUE, order=Order(actor="ada", reason="looked at"))
    acme.give_method(acme.subscription(id_).profile_id, "pm_card_visa")
    _try_next(acme, later=START + timedelta(days=2))
    acme.settle_under_a_brake()
    assert sorted(each.status for each in acme.invoices()) == ["draft", "paid"]
    holds(acme)
    assert incomplete.part_with(acme.parts) == 1
    holds(acme)


def _begun_with_a_second_draft(acme: Company) -> UUID:
    """Its first payment came; what is due next waits for a card whose outcome stays unknown."""
    id_ = _subscribe_to(acme, "basic", None, start=START, anchor=START + timedelta(days=14))
    acme.set_clock(START + timedelta(days=14))
    acme.settle()
    profile = acme.subscription(id_).profile_id
    acme.give_method(profile, "pm_card_visa")
    _try_next(acme, later=START + timedelta(days=16))
    acme.settle()
    acme.give_method(profile, "pm_sandbox_timeoutBeforeCharge")
    _try_next(acme, later=START + timedelta(days=14))
    return id_


def test_a_draft_whose_payment_is_under_way_waits_for_that_and_nothing_is_given_back_of_it(acme: Company) -> None:
    id_ = _begun_with_a_second_draft(acme)
    collection.plan(acme.parts)
    acme.run_messages()
    assert [each.status for each in acme.payments()] == ["succeeded", "unknown"]
    assert incomplete.part_with(acme.parts) == 0
    with acme.parts.begin() as session, pytest.raises(Refused) as refused:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    assert refused.value.code == "payment_in_flight"
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]
    holds(acme)


def test_a_draft_of_which_an_attempt_is_opened_while_it_is_looked_at_waits_for_that(acme: Company) -> None:
    _begun_with_a_second_draft(acme)
    with looked_at_slowly(acme) as (parts, go_on), ThreadPoolExecutor(1) as pool:
        parted = pool.submit(incomplete.part_with, parts)
        assert wait_until(lambda: somebody_waits(acme), seconds=10)
        collection.plan(acme.parts)
        acme.run_messages()
        assert [each.status for each in acme.payments()] == ["succeeded", "unknown"]
        go_on()
        assert parted.result(timeout=15) == 0
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]
    holds(acme)


@contextmanager
def looked_at_slowly(acme: Company) -> Iterator[tuple[Parts, Callable[[], object]]]:
    """Parts whose statements that lock drafts have begun, and go on once they are told to."""
    lock = "SELECT pg_advisory{}lock{}(4711)"
    engine = create_engine(acme.parts.sessions.kw["bind"].url)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def slowly(_: object, __: object, statement: str, given: object, *___: object) -> tuple[str, object]:
        slow = f"WHERE ({lock.format('_xact_', '_shared')}) IS NOT NULL AND d.status = 'draft'"
        return statement.replace("WHERE d.status = 'draft'", slow), given

    with acme.parts.sessions.kw["bind"].connect() as holder:
        holder.execute(text(lock.format("_", "")))
        yield (
            replace(acme.parts, sessions=sessionmaker(engine)),
            lambda: holder.execute(text(lock.format("_un", ""))),
        )
    engine.dispose()


def _try_next(acme: Company, *, later: datetime) -> None:
    """The draft of the full period is due then, as a decline leaves it."""
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.invoice SET next_attempt_at = :later WHERE period_end > :now AND status = 'draft'"),
            {"now": START + timedelta(days=15), "later": later},
        )


def test_nothing_to_pay_waits_for_no_payment(acme: Company) -> None:
    acme.coupon("free", 100)
    id_ = _subscribe_to(acme, "basic", None, coupon_code="free")
    acme.settle()
    assert (acme.subscription(id_).status, acme.subscription(id_).expires_at) == ("active", None)
    assert [(each.status, each.total_minor) for each in acme.invoices()] == [("paid", 0)]
    assert "subscription.active" in topics(acme)
    acme.set_clock(START + timedelta(days=1))
    assert incomplete.sweep(acme.parts) == 0
    holds(acme)


def test_nor_does_what_is_billed_by_its_usage_alone(acme: Company) -> None:
    acme.price("calls", 2, usage="sum")
    id_ = _subscribe_to(acme, "calls", None)
    assert (acme.subscription(id_).status, acme.invoices()) == ("active", [])
    assert "subscription.active" in topics(acme)
    holds(acme)


def test_a_start_that_lies_behind_leaves_the_whole_time_to_pay(acme: Company) -> None:
    acme.set_clock(START + timedelta(days=1))
    id_ = _subscribe_to(acme, "basic", None, start=START)
    assert incomplete.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(days=1, hours=23))
    assert incomplete.sweep(acme.parts) == 1
    assert acme.subscription(id_).status == "incomplete_expired"
