"""Who takes several rows takes them in one order, so that two never wait for each other.

Each test holds the row that comes first and lets a flow wait for it: what comes later in the order is still free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.commands.series.succeed import succeed_all
from billing.commands.subscription.recover import recover
from billing.flows import (
    adopting,
    canceling,
    collection,
    incomplete,
    operating_drafts,
    reconciliation,
    refund_events,
    refunding,
    sending,
    subscribing,
)
from billing.flows.order import Order, carry_out
from billing.flows.parts import Parts
from billing.flows.payment_events import last_attempt, take_facts
from billing.kernel.errors import Stale
from billing.models import Difference, Profile
from billing.queries.profile import lock_profile
from billing.queries.subscription import lock_subscriptions
from billing.sandbox.embedded.processes import wait_until
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company, company
from tests.flows.refunds import at_provider, paid_invoice
from tests.flows.test_refund_after_loss import end_unheard
from tests.flows.test_start import somebody_waits

DECLINED = "pm_card_chargeCustomerFail"
LOCK = "SELECT id FROM billing.{table} WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE"


@contextmanager
def held(acme: Company, table: str, *ids: UUID) -> Iterator[Session]:
    """A transaction that has these rows until the block is left."""
    with acme.parts.begin() as session:
        take(session, table, *ids)
        yield session


def take(session: Session, table: str, *ids: UUID) -> None:
    """Lock them at once, or fail."""
    statement = text(f"{LOCK.format(table=table)} NOWAIT")
    assert session.scalars(statement, {"ids": list(ids)}).all()


@contextmanager
def waiting(acme: Company, flow: Callable[..., Any], *given: Any) -> Iterator[Future[Any]]:
    """The flow in a thread, once it waits for a lock; it has ended well after the block."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(flow, *given)
        assert wait_until(lambda: somebody_waits(acme) or running.done(), seconds=10)
        assert not running.done(), "it waited for nobody"
        yield running


def ends(running: Future[Any]) -> Any:
    return running.result(timeout=15)


def _all_locked(acme: Company, ids: Collection[UUID]) -> None:
    with acme.parts.begin() as session:
        lock_subscriptions(session, ids)


def _all_recovered(acme: Company, ids: Collection[UUID]) -> None:
    with acme.parts.begin() as session:
        recover(session, ids, now=acme.now())


@pytest.mark.parametrize("flow", [_all_locked, _all_recovered])
def test_subscriptions_are_taken_by_customer_and_name_and_not_by_age(acme: Company, flow: Callable[..., None]) -> None:
    acme.customer("a1", method=DECLINED)
    later, first = acme.subscribe("a1", "s2"), acme.subscribe("a1", "s1")
    acme.settle()
    assert {acme.subscription(id_).status for id_ in (later, first)} == {"past_due"}
    with held(acme, "subscription", first) as session, waiting(acme, flow, acme, [later, first]) as running:
        take(session, "subscription", later)
        session.rollback()
        ends(running)


def _forget_slices(acme: Company) -> None:
    """What is due is found by the next sweep, together."""
    acme.line.messages.clear()
    with acme.parts.begin() as session:
        session.execute(text("DELETE FROM billing.slice"))


def test_what_recovers_and_what_fails_by_one_batch_of_answers_is_taken_together(acme: Company) -> None:
    failing = acme.customer("a1", method=DECLINED)
    paying = acme.customer("a2", method=DECLINED)
    assert failing < paying
    first, later = acme.subscribe("a1", "s1"), acme.subscribe("a2", "s2")
    acme.settle()
    acme.set_clock(START + timedelta(days=3))
    acme.give_method(paying, "pm_card_visa")
    _forget_slices(acme)
    with held(acme, "subscription", first) as session, waiting(acme, acme.settle) as running:
        take(session, "subscription", later)
        session.rollback()
        ends(running)
    assert [acme.subscription(id_).status for id_ in (first, later)] == ["past_due", "active"]
    assert acme.violations() == ()


def _incomplete(acme: Company, account: str, method: str | None) -> UUID:
    acme.customer(account, method=method)
    new = NewSubscription(
        code=f"s-{account}", account_id=account, items=(NewItem("basic"),), start=START, first_payment=True
    )
    return subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new).subscription_id


def test_drafts_whose_first_payments_came_are_issued_together(acme: Company) -> None:
    ids = [_incomplete(acme, account, "pm_card_visa") for account in ("a1", "a2")]
    last = acme.subscription(ids[1]).profile_id
    with acme.parts.begin() as session:
        (series,) = session.scalars(text("SELECT id FROM billing.series WHERE kind = 'invoice'")).all()
    with held(acme, "profile", last) as session, waiting(acme, acme.settle) as running:
        take(session, "series", series)
        session.rollback()
        ends(running)
    assert [acme.subscription(id_).status for id_ in ids] == ["active", "active"]
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]
    assert acme.violations() == ()


def _take_from_the_customer_down(acme: Company, id_: UUID, flow: Callable[..., Any], *given: Any) -> Any:
    """Who takes a draft that may be paid has taken nothing of it while its customer is in other hands."""
    (draft,) = acme.invoices()
    with held(acme, "profile", draft.profile_id) as session, waiting(acme, flow, *given) as running:
        take(session, "subscription", id_)
        take(session, "invoice", draft.id)
        session.rollback()
        return ends(running)


def test_who_records_a_first_payment_takes_its_draft_after_its_customer_and_its_subscription(acme: Company) -> None:
    id_ = _incomplete(acme, "a1", "pm_card_visa")
    _take_from_the_customer_down(acme, id_, acme.settle)
    assert acme.subscription(id_).status == "active"
    assert acme.violations() == ()


def _told_from_the_customer_down(acme: Company, id_: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, of who reads the intent of an attempt whose answer got lost."""
    monkeypatch.setattr(sending, "write_answers", lambda *_: None)
    collection.plan(acme.parts)
    acme.run_messages()
    (payment,) = acme.payments()
    assert payment.status == "sent"
    (intent,) = acme.witness.intents()
    facts = acme.parts.provider(acme.account_id).read_intent(intent.intent_ref)

    def told() -> None:
        with acme.parts.begin() as session:
            ours = last_attempt(session, payment.invoice_id)
            assert ours is not None
            take_facts(acme.parts, session, ours, facts)

    _take_from_the_customer_down(acme, id_, told)


def test_so_does_who_is_told_of_it_by_the_provider(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = _incomplete(acme, "a1", "pm_card_visa")
    _told_from_the_customer_down(acme, id_, monkeypatch)
    assert acme.subscription(id_).status == "active"


def test_who_records_a_payment_that_leaves_a_fraction_takes_its_customer_first(acme: Company) -> None:
    """The next invoice asks for it, and who issues that comes from the customer down."""
    acme.price("dinar", 12_340, currency="kwd")
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("dinar"))
    _take_from_the_customer_down(acme, id_, acme.settle)
    assert [(each.status, each.amount_carried_forward_minor) for each in acme.invoices()] == [("paid", 5)]
    assert acme.violations() == ()


def test_so_does_who_is_told_of_that_by_the_provider(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.price("dinar", 12_340, currency="kwd")
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("dinar"))
    _told_from_the_customer_down(acme, id_, monkeypatch)
    assert [(each.status, each.amount_carried_forward_minor) for each in acme.invoices()] == [("paid", 5)]


def test_so_does_who_adopts_one(acme: Company) -> None:
    acme.price("dinar", 12_340, currency="kwd")
    profile = acme.customer("a1", method=DECLINED)
    id_ = acme.begin_subscription("a1", "s1", NewItem("dinar"))
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.pay_behind_our_back(profile)
    reconciliation.reconcile(acme.parts, since=START - timedelta(days=1))
    with acme.begin() as session:
        (difference,) = session.scalars(select(Difference.id)).all()
    _take_from_the_customer_down(acme, id_, adopting.adopt, acme.parts, difference)
    assert [(each.status, each.amount_carried_forward_minor) for each in acme.invoices()] == [("paid", 5)]


def test_and_who_gives_an_incomplete_one_up(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = _incomplete(acme, "a1", DECLINED)
    acme.settle()
    (draft,) = acme.invoices()
    acme.set_clock(START + timedelta(hours=24))

    with acme.parts.begin() as session:

        def cancel_then_held(parts: Parts, invoices: Sequence[UUID]) -> bool:
            take(session, "profile", draft.profile_id)
            return canceling.cancel_intents(parts, invoices)

        monkeypatch.setattr(incomplete, "cancel_intents", cancel_then_held)
        with waiting(acme, incomplete.sweep, acme.parts) as running:
            take(session, "subscription", id_)
            take(session, "invoice", draft.id)
            session.rollback()
            assert ends(running) == 1
    assert acme.subscription(id_).status == "incomplete_expired"


def test_who_lets_the_moment_of_a_draft_pass_takes_nothing_of_its_subscription(acme: Company) -> None:
    """Whoever gives that up, or records its payment, has it before the draft; it is not dunned while it waits."""
    id_ = _incomplete(acme, "a1", None)
    with held(acme, "subscription", id_):
        collection.plan(acme.parts)
        acme.run_messages()
    (draft,) = acme.invoices()
    assert (draft.next_attempt_at, draft.waits_for_method) == (START + timedelta(days=3), True)
    with acme.begin() as session:
        assert session.scalars(text("SELECT error FROM billing.slice WHERE error IS NOT NULL")).all() == []


@pytest.fixture
def unpaid(database_url: str) -> Iterator[Company]:
    policy = SellerPolicy(dunning_hours=None, dunning_retries=(), dunning_final="unpaid")
    with company(database_url, policy=policy) as fresh:
        fresh.customer("a1", method=DECLINED)
        fresh.subscribe("a1", "s1")
        fresh.settle()
        yield fresh


def test_who_tries_an_invoice_waits_for_nobody_that_moves_its_unpaid_subscription(unpaid: Company) -> None:
    (invoice,) = unpaid.invoices()
    assert invoice.subscription_id is not None
    assert unpaid.subscription(invoice.subscription_id).status == "unpaid"
    unpaid.give_method(invoice.profile_id, "pm_card_visa")
    with held(unpaid, "subscription", invoice.subscription_id):
        unpaid.sweep()
        (still,) = unpaid.invoices()
        assert (still.status, still.next_attempt_at) == ("open", unpaid.now())
        assert [each.status for each in unpaid.payments()] == ["declined"]
        with unpaid.begin() as session:
            assert session.scalars(text("SELECT error FROM billing.slice WHERE error IS NOT NULL")).all() == []
    unpaid.settle()
    assert [each.status for each in unpaid.invoices()] == ["paid"]
    assert unpaid.violations() == ()


def test_who_waits_for_a_series_that_is_closed_meanwhile_numbers_in_the_one_that_goes_on(acme: Company) -> None:
    for account in ("a1", "a2"):
        acme.customer(account)
        acme.subscribe(account, f"s-{account}")
        if account == "a1":
            acme.settle()
    with acme.parts.begin() as session:
        (_, goes_on), _ = succeed_all(session, now=acme.now())
        with waiting(acme, acme.settle) as running:
            session.commit()
            ends(running)
    first, second = acme.invoices()
    assert (second.status, second.number) == ("paid", f"{goes_on}000001")
    assert first.number is not None
    assert not first.number.startswith(goes_on)
    with acme.begin() as session:
        assert session.scalars(text("SELECT error FROM billing.slice WHERE error IS NOT NULL")).all() == []


def test_who_edits_a_draft_takes_its_customer_before_it(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(draft_review_h=24)) as acme:
        profile = acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        (draft,) = acme.invoices()
        fee = {"description": "Fee", "amount_minor": 100, "tax_rate": "standard", "order": Order("mara", "a fee")}
        edit = partial(operating_drafts.add_line, acme.parts, draft.id, **fee)
        with held(acme, "profile", profile) as session, waiting(acme, edit) as running:
            take(session, "invoice", draft.id)
            session.rollback()
            ends(running)
        assert [line.amount_minor for line in acme.lines(draft)] == [1000, 100]


def test_an_order_that_comes_second_to_a_row_is_told_so(acme: Company) -> None:
    customer = acme.customer("a1", method=None)

    def comes_second() -> None:
        with carry_out(acme.parts, Order(actor="ada", reason="it was asked for")) as session:
            known = session.get_one(Profile, customer)
            with acme.parts.begin() as another:
                another.execute(text("UPDATE billing.profile SET version = version + 1"))
            assert lock_profile(session, customer) is known

    with pytest.raises(Stale):
        comes_second()


def _take_the_second_after_the_first(acme: Company, flow: Callable[..., Any], *given: Any) -> None:
    """What a lost dispute of a payment covers is shared out among its refunds that failed, oldest first."""
    first, second = acme.refunds()
    with held(acme, "refund", first.id) as session, waiting(acme, flow, acme.parts, *given) as running:
        take(session, "refund", second.id)
        session.rollback()
        ends(running)
    assert acme.refunds()[1].status == "failed"


def test_who_hears_of_a_refund_that_failed_takes_all_of_its_payment_at_once(acme: Company) -> None:
    paid = paid_invoice(acme, "pm_card_refundFail")
    for amount in (400, 300):
        refunding.refund(acme.parts, paid.id, amount_minor=amount)
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["failed", "failed"])
    ref = acme.refunds()[1].refund_ref
    _take_the_second_after_the_first(acme, refund_events.reread_refund, acme.account_id, ref)


def test_so_does_who_is_refused_one_for_good(acme: Company) -> None:
    paid = paid_invoice(acme)
    for amount in (400, 300):
        refunding.refund(acme.parts, paid.id, amount_minor=amount)
    acme.line.messages.clear()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    end_unheard(acme)
    _take_the_second_after_the_first(acme, refunding.send, acme.refunds()[1].id)
