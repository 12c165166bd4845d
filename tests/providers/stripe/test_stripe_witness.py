"""The witness: pages of the stand-in's books, its levers, and what it says when nobody is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.kernel.errors import ProviderUnavailable
from billing.providers.port import ChargeRequest, Outcome
from billing.providers.stripe import witness as witness_room
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.witness import Witness
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests.providers.stripe import scripted as server_says
from tests.providers.stripe.scripted import Handler, says, says_json, scripted


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(Store(MEMORY), seed=1) as standing:
        yield standing.url


def test_the_books_come_whole_in_pages_and_in_our_units(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness_room, "PAGE", 2)
    client = build_client(api_key="sk_test_witness", connect_s=1, read_s=5, base_address=address)
    provider = StripeProvider(client=client, livemode=False)
    customer_ref = provider.create_customer(anonymous_id=uuid4(), key="customer")
    name = "pm_card_visa"
    method_ref = provider.attach_method(customer_ref=customer_ref, method_ref=name, key="method").method_ref
    sent = [
        ChargeRequest(
            payment_id=uuid4(),
            invoice_id=uuid4(),
            customer_ref=customer_ref,
            method_ref=method_ref,
            amount_minor=700 + n,
            currency="isk",
        )
        for n in range(5)
    ]
    for each in sent:
        assert provider.charge(each, key=str(each.payment_id), key_age_s=0).outcome is Outcome.SUCCEEDED
    books = Witness(address)
    charges, intents = list(books.charges()), list(books.intents())
    assert [(each.amount_minor, each.payment_id, each.key) for each in charges] == [
        (each.amount_minor, str(each.payment_id), str(each.payment_id)) for each in sent
    ]
    assert [each.charge_refs for each in intents] == [(each.charge_ref,) for each in charges]
    assert {(each.status, each.refunded_minor, each.currency) for each in charges} == {("succeeded", 0, "isk")}
    requests = list(books.requests())
    assert [each.seq for each in requests] == sorted({each.seq for each in requests})
    assert [each.key for each in requests if each.path == "/v1/payment_intents"] == [str(s.payment_id) for s in sent]
    assert {(each.status, each.outcome) for each in requests} == {(200, "executed")}
    assert len(list(books.requests(after=requests[2].seq))) == len(requests) - 3
    assert books.state().requests == len(requests)


def test_the_clock_stands_where_it_is_put_until_it_is_let_go(address: str) -> None:
    books = Witness(address)
    there = datetime(2031, 1, 31, 9, 0, tzinfo=UTC)
    books.set_clock(there)
    assert books.clock() == there
    books.set_clock(None)
    assert books.clock() < there


def test_faults_are_switched_on_counted_and_switched_off(address: str) -> None:
    books = Witness(address)
    books.add_faults({"kind": "rate_limit", "next": 2, "path": "/v1/x"}, {"kind": "slow", "rate": 0.5, "ms": 1})
    assert [(each["kind"], each["hits"]) for each in books.faults()] == [("rate_limit", 0), ("slow", 0)]
    books.clear_faults()
    assert books.faults() == []
    with pytest.raises(ProviderUnavailable):
        books.add_faults({"kind": "no such thing", "next": 1})


CALLS: list[Callable[[Witness], Any]] = [
    lambda books: list(books.charges()),
    lambda books: list(books.intents()),
    lambda books: list(books.requests()),
    lambda books: books.state(),
    lambda books: books.clock(),
]


@pytest.mark.parametrize(
    "answer",
    [
        says("<html>", content_type="text/html"),
        says("no", status=404),
        says("", status=302, Location="/elsewhere"),
        says_json([{"id": 5}]),
        says_json(7),
        says_json(None),
        server_says.resets,
        server_says.stops_in_mid_body,
        server_says.is_silent,
    ],
)
def test_what_is_no_stand_in_is_unavailable(answer: Handler) -> None:
    with scripted(answer) as server:
        for call in CALLS:
            with pytest.raises(ProviderUnavailable):
                call(Witness(server.address, timeout_s=0.2))


def test_nobody_there_is_unavailable() -> None:
    levers: list[Callable[[Witness], Any]] = [lambda books: books.faults(), lambda books: books.clear_faults()]
    for call in CALLS + levers:
        with pytest.raises(ProviderUnavailable):
            call(Witness("http://127.0.0.1:9"))
