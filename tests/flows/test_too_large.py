"""What no line can hold: refused where it is asked for, and told where it comes of what was used."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing.flows import changing, previewing
from billing.flows.moving import move_price
from billing.flows.subscribing import subscribe
from billing.kernel.errors import Refused
from billing.models import Subscription, WorkItem
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

MOST = 1_000_000_000
BOUNDARY = datetime(2026, 2, 28, tzinfo=UTC)


@pytest.fixture
def dear(acme: Company) -> Company:
    """`dear` costs a million of euro cents, `half` and `other half` half of what a line may hold."""
    acme.price("dear", 1_000_000)
    acme.price("half", 5 * 10**14)
    acme.price("other-half", 5 * 10**14)
    acme.customer("a1")
    return acme


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([NewItem("basic"), NewItem("dear", MOST)], ["items.2.quantity"]),
        ([NewItem("half", 2), NewItem("dear", MOST)], ["items.1.quantity", "items.2.quantity"]),
        ([NewItem("half"), NewItem("other-half")], ["items"]),
    ],
)
def test_items_that_no_line_can_hold_are_refused(dear: Company, items: list[NewItem], fields: list[str]) -> None:
    new = NewSubscription(code="s1", account_id="a1", items=tuple(items), start=START, trial_days=7)
    with pytest.raises(Refused) as caught:
        subscribe(dear.parts, seller_id=dear.seller_id, new=new)
    assert [(fault.field, fault.code) for fault in caught.value.faults] == [
        (field, "amount_too_large") for field in fields
    ]
    with dear.begin() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0


def test_a_change_to_them_is_refused_and_so_is_its_preview(dear: Company) -> None:
    id_ = dear.subscribe("a1", "s1")
    dear.settle()
    items = [NewItem("dear", MOST)]
    for act in (changing.change, previewing.preview_change):
        with pytest.raises(Refused) as caught, dear.parts.begin() as session:
            act(dear.parts, session, id_, items=items)
        assert (caught.value.faults[0].field, caught.value.code) == ("items.1.quantity", "amount_too_large")


def test_who_would_cost_more_is_left_alone_when_a_cohort_moves(dear: Company) -> None:
    dear.customer("a2")
    dear.subscribe("a1", "many", quantity=MOST)
    dear.subscribe("a2", "one")
    dear.settle()
    for dry_run in (True, False):
        moved = move_price(dear.parts, seller_id=dear.seller_id, old_code="basic", new_code="dear", dry_run=dry_run)
        many, one = sorted(moved, key=lambda each: each.subscription)
        assert (many.after_minor, one.after_minor, one.skipped) == (None, 1_000_000, None)
        assert "less than 10^15" in (many.skipped or "")
    dear.set_clock(BOUNDARY)
    dear.settle()
    assert sorted(each.subtotal_minor for each in dear.invoices()[-2:]) == [1_000_000, 1000 * MOST]


def test_usage_that_no_line_can_hold_is_told_with_its_price_and_all_others_are_billed(dear: Company) -> None:
    dear.price("calls", 1000, usage="sum")
    dear.customer("a2")
    dear.subscribe("a2", "other")
    dear.begin_subscription("a1", "s1", NewItem("basic"), NewItem("calls"))
    dear.settle()
    dear.use(*(NewUsage("s1", "calls", name, Decimal(6 * 10**11)) for name in ("r1", "r2")))
    dear.set_clock(BOUNDARY)
    dear.settle()
    assert len(dear.invoices()) == 3
    with dear.begin() as session:
        item = session.scalars(select(WorkItem)).one()
    assert item.kind == "subscription_not_billed"
    assert (item.error or "").startswith("Refused: lines.calls.amount: amount_too_large (a line holds less than 10^15")
    assert dear.violations() == ()
