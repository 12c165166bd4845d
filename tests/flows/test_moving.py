"""A cohort moves to a new price at each one's next period; a dry run shows the effect and changes nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.subscription.change import Proration
from billing.flows import changing, moving, operating_subscriptions
from billing.flows.moving import NOT_BILLED, Moved, move_price
from billing.flows.order import Order
from billing.flows.previewing import preview_renewal
from billing.kernel.errors import Refused
from billing.models import Subscription
from billing.queries.cohort import Member, lock_members
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company


@pytest.fixture
def two_prices(acme: Company) -> Company:
    with acme.parts.begin() as session:
        create_product(session, seller_id=acme.seller_id, new=NewProduct("other", "Other"), now=START)
        for new in (
            NewPrice("dearer", "basic", "eur", Decimal(1250), "month"),
            NewPrice("other", "other", "eur", Decimal(700), "month"),
            NewPrice("dearest", "basic", "eur", Decimal(1300), "month"),
            NewPrice("yearly", "basic", "eur", Decimal(9000), "year"),
            NewPrice("counted", "basic", "usd", Decimal(1), "month", usage="sum"),
        ):
            create_price(session, seller_id=acme.seller_id, new=new, now=START)
    for account in ("a1", "a2", "a3"):
        acme.customer(account)
    acme.subscribe("a1", "s1", quantity=2)
    acme.subscribe("a2", "s2", start=START - timedelta(days=0))
    acme.subscribe("a3", "s3", price="other")
    acme.settle()
    return acme


def _move(acme: Company, new: str = "dearer", *, dry_run: bool = False) -> list[Moved]:
    return list(move_price(acme.parts, seller_id=acme.seller_id, old_code="basic", new_code=new, dry_run=dry_run))


def test_a_dry_run_shows_the_effect_on_each_and_changes_nothing(two_prices: Company) -> None:
    boundary = START.replace(month=2, day=28)
    expected = [
        Moved("s1", "a1", boundary, 2, 2000, 2500, "eur"),
        Moved("s2", "a2", boundary, 1, 1000, 1250, "eur"),
    ]
    assert _move(two_prices, dry_run=True) == expected
    assert _move(two_prices, dry_run=True) == expected


def test_each_has_the_new_price_from_its_next_period_on(two_prices: Company) -> None:
    assert [row.subscription for row in _move(two_prices)] == ["s1", "s2"]
    two_prices.set_clock(START.replace(month=2, day=28))
    two_prices.settle()
    assert sorted(each.subtotal_minor for each in two_prices.invoices()[-3:]) == [700, 1250, 2500]
    assert _move(two_prices) == [], "a repeat finds nothing more to move"


def test_a_period_that_has_begun_is_billed_at_the_price_that_it_began_with(two_prices: Company) -> None:
    two_prices.set_clock(START.replace(month=2, day=28) + timedelta(minutes=1))
    for dry_run in (True, False):
        assert {row.skipped for row in _move(two_prices, dry_run=dry_run)} == {NOT_BILLED}
    two_prices.settle()
    assert sorted(each.subtotal_minor for each in two_prices.invoices()[-3:]) == [700, 1000, 2000]
    assert [row.skipped for row in _move(two_prices)] == [None, None]


def _next(acme: Company) -> dict[str, int | None]:
    """What each one's next invoice is told to come to."""
    with acme.begin() as session:
        rows = session.scalars(select(Subscription).order_by(Subscription.code))
        told = {row.code: preview_renewal(acme.parts, session, row, now=acme.now()) for row in rows}
    return {code: document and document.totals.subtotal_minor for code, document in told.items()}


def test_the_next_invoice_is_told_at_the_price_that_it_will_have(two_prices: Company) -> None:
    assert _next(two_prices) == {"s1": 2000, "s2": 1000, "s3": 700}
    _move(two_prices)
    assert _next(two_prices) == {"s1": 2500, "s2": 1250, "s3": 700}


def test_of_another_interval_that_is_scheduled_too(two_prices: Company) -> None:
    (s2,) = [each for each in two_prices.invoices() if each.subtotal_minor == 1000]
    assert s2.subscription_id is not None
    with two_prices.parts.begin() as session:
        yearly, when = [NewItem("yearly")], changing.ChangeWhen.PERIOD_END
        changing.change(two_prices.parts, session, s2.subscription_id, items=yearly, when=when)
    assert _next(two_prices)["s2"] == 9000


def test_a_change_made_now_drops_the_move_and_says_so_and_a_repeat_finds_it(two_prices: Company) -> None:
    _move(two_prices)
    (s1,) = [each for each in two_prices.invoices() if each.subtotal_minor == 2000]
    assert s1.subscription_id is not None
    done = operating_subscriptions.change(
        two_prices.parts,
        s1.subscription_id,
        items=[NewItem("basic", 3)],
        when=changing.ChangeWhen.NOW,
        proration=changing.Proration.NONE,
        order=Order(actor="mara", reason="one more seat"),
    )
    assert "what was scheduled for its next period is dropped" in done.told
    assert two_prices.told()[-1][1] | {"profile_id": ""} == {
        "profile_id": "",
        "changes_at": "now",
        "scheduled_change": "dropped",
    }
    assert _next(two_prices)["s1"] == 3000
    assert {row.subscription: row.dropped_at for row in _move(two_prices, dry_run=True)} == {"s1": two_prices.now()}
    assert _move(two_prices, "dearest", dry_run=True)[0].dropped_at is None, "it was a move to another price"
    assert [row.subscription for row in _move(two_prices)] == ["s1"]
    assert _next(two_prices)["s1"] == 3750


def test_who_has_both_is_left_alone(two_prices: Company) -> None:
    with two_prices.parts.begin() as session:
        id_ = next(
            each for each in (two_prices.subscription(invoice.subscription_id) for invoice in two_prices.invoices())
            if each.code == "s1"
        ).id  # fmt: skip
        changing.change(two_prices.parts, session, id_, items=[NewItem("basic", 1), NewItem("dearer", 1)])
    moved = {row.subscription: row.skipped for row in _move(two_prices)}
    assert moved == {"s1": "it has the new price already", "s2": None}


def test_a_change_that_is_scheduled_already_is_moved_too(two_prices: Company) -> None:
    with two_prices.parts.begin() as session:
        id_ = next(each.subscription_id for each in two_prices.invoices() if each.subtotal_minor == 2000)
        assert id_ is not None
        changing.change(
            two_prices.parts, session, id_, items=[NewItem("basic", 7)], when=changing.ChangeWhen.PERIOD_END
        )
    assert [(row.subscription, row.quantity) for row in _move(two_prices)] == [("s1", 7), ("s2", 1)]
    two_prices.set_clock(START.replace(month=2, day=28))
    two_prices.settle()
    assert 7 * 1250 in {each.subtotal_minor for each in two_prices.invoices()}


@pytest.mark.parametrize(
    ("new", "codes"),
    [
        ("basic", ["same_price"]),
        ("nothing", ["price_not_found"]),
        ("yearly", ["price_differs"]),
        ("counted", ["price_differs", "price_differs"]),
    ],
)
def test_a_price_that_cannot_stand_in_is_refused(two_prices: Company, new: str, codes: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        _move(two_prices, new)
    assert [fault.code for fault in refusal.value.faults] == codes


def test_who_comes_in_while_a_page_is_locked_pushes_nobody_out_of_it(
    two_prices: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no member yet, as if they had come when it was done; and the last of the page is moved with it."""
    two_prices.customer("a4")
    two_prices.subscribe("a4", "s4")
    two_prices.settle()
    with two_prices.begin() as session:
        comes = session.scalars(select(Subscription.id).where(Subscription.code == "s3")).one()
    monkeypatch.setattr(moving, "PAGE", 3)

    def locked_later(session: Session, page: list[Member], **of: Any) -> list[Member]:
        monkeypatch.setattr(moving, "lock_members", lock_members)
        with two_prices.parts.begin() as other:
            changing.change(two_prices.parts, other, comes, items=(NewItem("basic"),), proration=Proration.NONE)
        return lock_members(session, page, **of)

    monkeypatch.setattr(moving, "lock_members", locked_later)
    assert [row.subscription for row in _move(two_prices)] == ["s1", "s2", "s4"]


def test_a_page_is_moved_in_a_fixed_number_of_statements(two_prices: Company) -> None:
    with two_prices.counting_statements() as few:
        _move(two_prices)
    for place in range(30):
        two_prices.customer(f"b{place}", method=None)
        two_prices.subscribe(f"b{place}", f"t{place}", start=START + timedelta(days=1))
    with two_prices.counting_statements() as many:
        assert len(_move(two_prices)) == 30
    assert len(many) == len(few)
