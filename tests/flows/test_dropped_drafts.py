"""What a change gave back of a held draft goes with it when the draft is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.work_item.raise_item import raise_item
from billing.flows import changing, drafts
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.kernel.work import WorkKind
from billing.models import WaitingLine
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company
from tests.flows.test_guarding import decide, held_drafts, held_item

_RELEASED = (
    "0 drafts are dropped; their periods are skipped; 1 are released: a note gave something back of them, or they bear "
    "a credit and no document follows that could"
)


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


def _a_draft_that_bears_a_large_credit(acme: Company) -> tuple[UUID, UUID]:
    """Paid in advance: twice 300.00, one of which goes after a day; the next period's draft bears what that gives back.

    It is held by an item. Returns the customer's id and the subscription's.
    """
    for code, amount in (("small", 1000), ("big", 30_000), ("twin", 30_000)):
        acme.price(code, amount)
    profile = acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("big"), NewItem("twin"))
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 720, guard_amount = NULL"))
    acme.set_clock(START + timedelta(days=1))
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("big")])
    acme.set_clock(START + timedelta(days=28))
    acme.settle()
    with acme.parts.begin() as session:
        known = {"subject_type": "subscription", "subject_id": id_, "profile_id": profile, "now": acme.now()}
        safe = ["release", "merge", "skip", "discard"]
        raise_item(session, kind=WorkKind.INVOICE_GUARDED, summary="held", safe_actions=safe, **known)
    _hold(acme)
    return profile, id_


def _hold(acme: Company) -> None:
    values = {"item": held_item(acme).id}
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET hold_id = :item WHERE status = 'draft'"), values)


def _two_of_which_the_first_bears_a_large_credit(acme: Company) -> UUID:
    """The one after it is for 10.00 only. Both are held by one item. Returns the customer's id."""
    profile, id_ = _a_draft_that_bears_a_large_credit(acme)
    acme.set_clock(START + timedelta(days=30))
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("small")], when=changing.ChangeWhen.PERIOD_END)
    acme.set_clock(START + timedelta(days=59))
    acme.settle()
    _hold(acme)
    assert {each.subtotal_minor for each in held_drafts(acme)} == {30_000 - 28_929, 1000}
    return profile


def test_a_credit_that_is_larger_than_the_last_draft_waits_for_the_next_document(guarded: Company) -> None:
    profile = _two_of_which_the_first_bears_a_large_credit(guarded)
    decide(guarded, Action.SKIP)
    assert _waiting(guarded) == ["proration_credit"]
    guarded.set_clock(START + timedelta(days=89))
    guarded.settle()
    assert (_waiting(guarded), guarded.violations()) == ([], ())
    (last,) = [each for each in guarded.invoices() if each.period_start == START + timedelta(days=89)]
    assert (last.kind, last.subtotal_minor) == ("credit_note", 28_929 - 1000)
    assert guarded.credit(profile) == last.total_minor


def test_where_none_will_come_the_skip_is_refused_and_says_what_else_there_is(guarded: Company) -> None:
    _two_of_which_the_first_bears_a_large_credit(guarded)
    (id_,) = {each.subscription_id for each in held_drafts(guarded)}
    assert id_ is not None
    with guarded.parts.begin() as session:
        changing.cancel(guarded.parts, session, id_, when=CancelWhen.NOW)
    with pytest.raises(Refused, match="release or merge") as refused:
        decide(guarded, Action.SKIP)
    assert refused.value.code == "draft_below_zero"
    assert len(held_drafts(guarded)) == 2


def test_a_draft_of_which_a_note_has_given_something_back_is_not_discarded(guarded: Company) -> None:
    """Its customer would keep that credit for what they were never charged."""
    profile, id_ = _a_draft_that_bears_a_large_credit(guarded)
    guarded.set_clock(START + timedelta(days=43))
    with guarded.parts.begin() as session:
        changing.cancel(guarded.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    (draft,) = held_drafts(guarded)
    given_back = guarded.credit(profile)
    assert given_back > draft.total_minor
    told = decide(guarded, Action.DISCARD)
    assert told == _RELEASED
    guarded.set_clock(START + timedelta(days=59))
    drafts.sweep(guarded.parts)
    (issued,) = [each for each in guarded.invoices() if each.id == draft.id]
    assert (issued.status, guarded.credit(profile)) == ("paid", given_back - draft.total_minor)
    assert guarded.violations() == ()


def test_what_was_paid_before_and_given_back_waits_where_the_draft_that_bears_it_is_dropped(guarded: Company) -> None:
    profile, _ = _a_draft_that_bears_a_large_credit(guarded)
    told = decide(guarded, Action.DISCARD)
    assert told == (
        "1 drafts are dropped; their periods are skipped; 1 credits of lines that were issued before wait for the next "
        "document"
    )
    (dropped,) = [each for each in guarded.invoices() if each.status == "expired"]
    assert (dropped.subtotal_minor, _waiting(guarded)) == (30_000, ["proration_credit"])
    assert guarded.violations() == ()
    guarded.set_clock(START + timedelta(days=59))
    guarded.settle()
    (last,) = held_drafts(guarded)
    assert (last.subtotal_minor, _waiting(guarded), guarded.credit(profile)) == (30_000 - 28_929, [], 0)
    assert guarded.violations() == ()


def test_where_no_document_follows_such_a_draft_is_released(guarded: Company) -> None:
    _, id_ = _a_draft_that_bears_a_large_credit(guarded)
    guarded.set_clock(START + timedelta(days=30))
    with guarded.parts.begin() as session:
        changing.cancel(guarded.parts, session, id_, when=CancelWhen.NOW)
    told = decide(guarded, Action.DISCARD)
    assert told == _RELEASED
    guarded.set_clock(START + timedelta(days=59))
    drafts.sweep(guarded.parts)
    assert sorted(each.subtotal_minor for each in guarded.invoices()) == [30_000 - 28_929, 60_000]
    assert guarded.violations() == ()
