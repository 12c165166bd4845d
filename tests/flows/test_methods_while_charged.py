"""A method that goes while an invoice is about to be charged: nobody waits in a ring, and it is charged no more.

Each test stops who takes the method away once they have it, until a worker that opens attempts waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.payment_method import lose, remove
from billing.flows import collection, on_session, payment_methods
from billing.kernel.errors import Refused
from billing.models import PaymentMethod
from billing.sandbox.embedded.processes import wait_until
from tests.flows.company import Company
from tests.flows.test_start import somebody_waits


def owing(acme: Company, *methods: str) -> tuple[UUID, PaymentMethod]:
    """A customer with an invoice that is due, and these methods, the last of them the default."""
    profile = acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    for each in methods:
        acme.give_method(profile, each)
    acme.line.messages.clear()
    with acme.parts.begin() as session:
        session.execute(text("DELETE FROM billing.slice"))
    return profile, method_of(acme, profile)


def method_of(acme: Company, profile: UUID) -> PaymentMethod:
    query = select(PaymentMethod).where(PaymentMethod.profile_id == profile, PaymentMethod.is_default)
    with acme.begin() as session:
        return session.scalars(query).one()


def charge(acme: Company) -> None:
    collection.plan(acme.parts)
    acme.run_messages()


@contextmanager
def meanwhile(
    acme: Company, monkeypatch: pytest.MonkeyPatch, at: tuple[Any, str], flow: Callable[[], Any]
) -> Iterator[None]:
    """Where a module calls something the flow begins, in a thread, and waits for a row. It ends with the block."""
    module, name = at
    asked, running = getattr(module, name), list[Future[Any]]()
    with ThreadPoolExecutor(1) as pool:

        def then(*args: Any, **kwargs: Any) -> Any:
            if not running:
                running.append(pool.submit(flow))
                assert wait_until(lambda: somebody_waits(acme) or running[0].done(), seconds=10)
                assert not running[0].done(), "it waited for nobody"
            return asked(*args, **kwargs)

        monkeypatch.setattr(module, name, then)
        yield
        assert running, "it was never called"
        running[0].result(timeout=20)


def assert_nothing_went_wrong(acme: Company) -> None:
    with acme.begin() as session:
        assert session.scalars(text("SELECT error FROM billing.slice WHERE error IS NOT NULL")).all() == []
    acme.settle()
    assert acme.violations() == ()


def test_the_only_one_is_removed_and_no_attempt_is_opened_with_it(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, card = owing(acme, "pm_card_visa")
    with meanwhile(acme, monkeypatch, (remove, "has_payment_in_flight"), partial(charge, acme)):
        assert payment_methods.remove(acme.parts, method_id=card.id).status == "detached"
    assert acme.payments() == []
    assert_nothing_went_wrong(acme)


def test_one_of_two_is_removed_and_the_other_one_is_charged(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    profile, card = owing(acme, "pm_card_visa", "pm_card_mastercard")
    with meanwhile(acme, monkeypatch, (remove, "has_payment_in_flight"), partial(charge, acme)):
        assert payment_methods.remove(acme.parts, method_id=card.id).status == "detached"
    assert_nothing_went_wrong(acme)
    other = method_of(acme, profile)
    assert [(each.status, each.payment_method_id) for each in acme.payments()] == [("succeeded", other.id)]


def test_one_that_the_provider_took_away_makes_room_for_the_other_one(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, card = owing(acme, "pm_card_visa", "pm_card_mastercard")
    begin = partial(charge, acme)
    with meanwhile(acme, monkeypatch, (lose, "take_off"), begin), acme.parts.begin() as session:
        assert lose.lose_methods(session, profile_id=profile, method_ids=[card.id], now=acme.now()) == 1
    assert_nothing_went_wrong(acme)
    other = method_of(acme, profile)
    assert [(each.status, each.payment_method_id) for each in acme.payments()] == [("succeeded", other.id)]


def test_the_customer_removes_it_here_and_pays_there(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    profile, card = owing(acme, "pm_card_visa")

    def pay() -> None:
        with pytest.raises(Refused) as refused:
            on_session.pay(acme.parts, profile_id=profile)
        assert refused.value.code == "payment_method_missing"

    with meanwhile(acme, monkeypatch, (remove, "has_payment_in_flight"), pay):
        assert payment_methods.remove(acme.parts, method_id=card.id).status == "detached"
    assert acme.payments() == []
    assert_nothing_went_wrong(acme)
