"""What a change gave back of a held draft goes with it when the draft is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.flows import changing
from billing.flows.working import Action
from billing.models import WaitingLine
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company
from tests.flows.test_guarding import decide, held_drafts, held_item


@pytest.fixture
def guarded(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=SellerPolicy(guard_amount=3)) as fresh:
        yield fresh


def _changed_while_held(acme: Company) -> None:
    """A document of 357.00 is held; half way through its period the subscription is changed to twice the price."""
    acme.price("small", 1000)
    acme.price("big", 30_000)
    acme.price("huge", 60_000)
    acme.customer("a1")
    id_ = acme.subscribe("a1", "s1", price="small")
    acme.settle()
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem("big"),), when=changing.ChangeWhen.PERIOD_END)
    acme.set_clock(START + timedelta(days=28))
    acme.settle()
    assert held_item(acme).amount_minor == 35_700
    acme.set_clock(START + timedelta(days=42))
    acme.settle()
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem("huge"),))


def _waiting(acme: Company) -> list[str]:
    with acme.begin() as session:
        return list(session.scalars(select(WaitingLine.kind).order_by(WaitingLine.id)))


def test_what_a_change_gave_back_of_a_draft_goes_with_it(guarded: Company) -> None:
    _changed_while_held(guarded)
    (held,) = held_drafts(guarded)
    assert [line.kind for line in guarded.lines(held)] == ["recurring", "proration_credit"]
    assert _waiting(guarded) == ["proration_charge"]
    decide(guarded, Action.DISCARD)
    assert _waiting(guarded) == ["proration_charge"]
    assert guarded.violations() == ()


def test_so_it_does_where_its_period_is_skipped(guarded: Company) -> None:
    _changed_while_held(guarded)
    guarded.set_clock(START + timedelta(days=59))
    guarded.settle()
    (last,) = [each for each in held_drafts(guarded) if each.period_start == START + timedelta(days=59)]
    decide(guarded, Action.SKIP)
    (issued,) = [each for each in guarded.invoices() if each.id == last.id]
    lines = guarded.lines(issued)
    assert sorted(line.kind for line in lines) == ["proration_charge", "recurring"]
    assert (issued.status, issued.subtotal_minor) == ("paid", sum(line.amount_minor for line in lines))
    assert guarded.violations() == ()


def test_a_lower_price_comes_off_the_draft_so_that_nothing_is_left_of_it_once_it_is_dropped(guarded: Company) -> None:
    guarded.price("small", 1000)
    guarded.price("big", 30_000)
    profile = guarded.customer("a1")
    id_ = guarded.subscribe("a1", "s1", price="small")
    guarded.settle()
    with guarded.parts.begin() as session:
        changing.change(guarded.parts, session, id_, items=(NewItem("big"),), when=changing.ChangeWhen.PERIOD_END)
    for day in (28, 42):
        guarded.set_clock(START + timedelta(days=day))
        guarded.settle()
    assert held_item(guarded).amount_minor == 35_700
    with guarded.parts.begin() as session:
        changing.change(guarded.parts, session, id_, items=(NewItem("small"),))
    (held,) = held_drafts(guarded)
    assert (held.subtotal_minor, _waiting(guarded)) == (30_000 - 16_452, ["proration_charge"])
    decide(guarded, Action.DISCARD)
    guarded.set_clock(START + timedelta(days=59))
    guarded.settle()
    assert guarded.credit(profile) == 0
    assert guarded.violations() == ()
