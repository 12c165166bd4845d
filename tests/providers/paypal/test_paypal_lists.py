"""PayPal's lists as its documentation has them: pages by links, what is pending, what is not shown yet, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from billing.kernel.errors import ProviderRefused, ProviderUnavailable
from billing.providers.port import Outcome
from billing.providers.stripe.witness import Witness
from billing.sandbox.paypal import events
from billing.sandbox.paypal.app import create_app
from billing.sandbox.stripe.server import Server, serving
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.store import MEMORY, Store
from tests.providers.contract.test_contract_charges import asked, send
from tests.providers.contract.worlds import PAYPAL_TRAITS, Behaviour, PayPalWorld, paypal_provider


@dataclass(slots=True)
class Listed(PayPalWorld):
    """A world whose stand-in is at hand, beside the way to it over HTTP."""

    stand_in: StandIn = field(kw_only=True)


@pytest.fixture(scope="module")
def standing() -> Iterator[Server]:
    with serving(Store(MEMORY), seed=1, make=create_app) as made:
        yield made


@pytest.fixture
def world(standing: Server) -> Iterator[Listed]:
    standing.stand_in.configure({"search_lag_s": 0, "dispute_fee": 0})
    Witness(standing.url).set_clock(None)
    client_id = f"sb-{uuid4().hex}"
    provider = paypal_provider(standing.url, client_id=client_id)
    account_ref = provider.account().account_ref
    fresh = Listed(standing.url, provider, account_ref, client_id, traits=PAYPAL_TRAITS, stand_in=standing.stand_in)
    yield fresh
    assert fresh.breaches() == []


def window(world: Listed) -> dict[str, datetime]:
    return {"created_from": world.now() - timedelta(days=1), "created_to": world.now() + timedelta(minutes=1)}


def test_a_charge_that_is_pending_is_found_among_the_orders_of_its_attempt(world: Listed) -> None:
    """The report leaves it out unless it is asked for: what was taken for absent would be charged again."""
    request = asked(world, Behaviour.PROCESSING)
    sent = send(world, request)
    assert sent.outcome is Outcome.PROCESSING
    began = world.now() - timedelta(hours=1)
    world.advance(timedelta(hours=12))
    found = world.provider.list_intents(
        customer_ref=request.customer_ref, created_from=began, payment_id=request.payment_id
    )
    assert [(each.intent_ref, each.status) for each in found] == [(sent.intent_ref, "processing")]


def test_what_is_pending_moves_no_balance(world: Listed) -> None:
    send(world, asked(world, Behaviour.PROCESSING))
    assert [each for page in world.provider.movement_pages(**window(world)) for each in page] == []
    listed = [each.status for page in world.provider.charge_pages(**window(world)) for each in page]
    assert listed == ["pending"]


def test_every_page_of_disputes_is_read(world: Listed) -> None:
    charge_ref = send(world, asked(world)).charge_ref
    assert charge_ref is not None
    refs = {world.dispute(charge_ref, inquiry=True) for _ in range(101)}
    pages = world.provider.dispute_pages(**window(world))
    assert {each.dispute_ref for page in pages for each in page} == refs


def test_every_page_of_events_is_read_though_some_tell_of_what_has_no_id(world: Listed) -> None:
    """A seller's own invoices, payouts and referrals are told of by the same list."""
    happen(world, "PAYMENT.CAPTURE.COMPLETED", "capture", {"id": "V1", "amount": {"total": "1.00"}, "state": "done"})
    for _ in range(205):
        happen(world, "INVOICING.INVOICE.PAID", "invoices", {"invoice": {"id": "INV2-SANDBOX"}})
    charge_ref = send(world, asked(world)).charge_ref
    pages = list(world.provider.event_pages(**window(world)))
    types = [each.facts.type for page in pages for each in page]
    assert (types.count("INVOICING.INVOICE.PAID"), types.count("PAYMENT.CAPTURE.COMPLETED")) == (205, 2)
    assert {each.facts.object_ref for page in pages for each in page if each.facts.object_type == "invoices"} == {""}
    assert {each.charge_ref for each in world.provider.newest_charges(now=world.now())} == {charge_ref}


def test_a_time_that_the_report_does_not_reach_yet_is_no_refusal(world: Listed) -> None:
    request = asked(world)
    send(world, request)
    world.stand_in.configure({"search_lag_s": 3 * 3600})
    assert world.provider.lists_reach(world.now()) is False
    assert world.provider.lists_reach(world.now() - timedelta(hours=4)) is True
    with pytest.raises(ProviderUnavailable):
        list(
            world.provider.list_intents(
                customer_ref=request.customer_ref, created_from=world.now(), payment_id=request.payment_id
            )
        )
    young = {"created_from": world.now() - timedelta(hours=1), "created_to": world.now()}
    assert [each for page in world.provider.movement_pages(**young) for each in page] == []


def test_what_paypal_asks_for_a_dispute_is_a_fee_and_none_of_the_charge(world: Listed) -> None:
    world.stand_in.configure({"dispute_fee": 1600})
    charge_ref = send(world, asked(world)).charge_ref
    assert charge_ref is not None
    dispute_ref = world.dispute(charge_ref, inquiry=False)
    assert world.provider.read_dispute(dispute_ref).withdrawn_minor == 1500
    world.close_dispute(dispute_ref, "won")
    closed = world.provider.read_dispute(dispute_ref)
    assert (closed.status, closed.withdrawn_minor, closed.reinstated_minor) == ("won", 1500, 1500)
    moved = [each for page in world.provider.movement_pages(**window(world)) for each in page]
    assert [each.amount_minor for each in moved if each.type == "paypal_fee"] == [-1600]


@pytest.mark.parametrize(("code", "sign"), [("T1108", 1), ("T1109", 1), ("T0106", -1)])
def test_fees_and_what_is_given_back_of_them_are_no_refunds(world: Listed, code: str, sign: int) -> None:
    charge_ref = send(world, asked(world)).charge_ref
    with world.stand_in.store.transaction() as tx:
        moved = {"id": f"FEE{code}", "object": "balance_transaction", "created": int(world.now().timestamp())}
        tx.add(
            world.account_ref,
            moved | {"source": charge_ref, "amount": 35 * sign, "currency": "eur", "status": "succeeded", "code": code},
        )
    assert [each for page in world.provider.refund_pages(**window(world)) for each in page] == []
    found = [each for page in world.provider.movement_pages(**window(world)) for each in page]
    assert [(each.type, each.amount_minor) for each in found if each.source_ref is None] == [("paypal_fee", 35 * sign)]


def happen(world: Listed, type_: str, resource_type: str, resource: dict[str, object]) -> None:
    """Something that this engine has no hand in."""
    with world.stand_in.store.transaction() as tx:
        call = Call(world.stand_in, tx, world.account_ref, int(world.now().timestamp()))
        events.happen(call, type_, resource_type, resource)


def test_a_time_that_the_report_does_not_go_back_to_is_refused(world: Listed) -> None:
    """Not empty: then what was charged in it would be absent."""
    asked_from = world.now() - timedelta(days=3 * 366)
    with pytest.raises(ProviderRefused) as refused:
        list(world.provider.charge_pages(created_from=asked_from, created_to=asked_from + timedelta(days=1)))
    assert refused.value.code == "invalid_start_date"
    kept = world.now() - timedelta(seconds=world.provider.lists_back_s)
    assert list(world.provider.charge_pages(created_from=kept, created_to=kept + timedelta(days=1))) == [[]]
