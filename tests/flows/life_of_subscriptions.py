"""What chance does to subscriptions, and to the customers who have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.profile.change import change_profile
from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import braking, changing, payment_methods, previewing, rights
from billing.flows.charging import charge_once
from billing.flows.moving import move_price
from billing.models import PaymentMethod, Subscription
from billing.queries.brakes import BrakeKind
from billing.validators.address import Address
from billing.validators.profile import Personal, ProfileChange
from billing.validators.usage import NewUsage
from tests.flows.life import CARDS, COUNTRIES, COUPONS, GROUPS, METERED, ORDER, Act, Life

TAX_IDS = {"DE": "DE123456788", "FR": "FR23334175221"}
MOVES = {"basic": "free", "gross": "books", "dollar": "dollar-gross", "calls": "peak"}
"""Price by price, the one that takes its place."""


def subscribe(life: Life) -> None:
    chance, now = life.chance, life.acme.now()
    group = chance.choice(["eur month", "eur month", *GROUPS])
    ways: list[dict[str, Any]] = [
        {},
        {},
        {"collection": "send_invoice"},
        {"trial_days": chance.randint(1, 20)},
        {"anchor": now + timedelta(days=chance.randint(1, 6), hours=chance.randint(0, 23))},
        {"first_payment": True},
        {"start": now - timedelta(days=chance.randint(1, 40))},
    ]
    given = chance.choice(ways)
    if chance.random() < 0.4:
        given = {**given, "coupon_code": chance.choice(COUPONS)}
    whom = chance.choice(life.profiles)
    number = len(life.subscriptions)
    house = life.house_of[whom]
    id_ = house.begin_subscription(life.accounts[whom], f"s{number}", *life.items(group), **given)
    life.house_of[id_] = house
    life.subscriptions.append(id_)
    life.groups[id_] = group


def running(life: Life) -> UUID:
    """A subscription that has not ended, where there is one."""
    with life.acme.begin() as session:
        ended = set(session.scalars(select(Subscription.id).where(Subscription.ended_at.is_not(None))))
    return life.chance.choice([each for each in life.subscriptions if each not in ended] or life.subscriptions)


def change(life: Life) -> None:
    """Its items become others; sometimes as was previewed, now and then with another interval."""
    chance, parts = life.chance, life.acme.parts
    id_, when, how = running(life), chance.choice(list(ChangeWhen)), chance.choice(list(Proration))
    group = life.groups[id_]
    if chance.random() < 0.2:
        group = chance.choice([each for each in GROUPS if each[:3] == group[:3]])
    items = life.items(group)
    with parts.begin() as session:
        if chance.random() < 0.3:
            seen = previewing.preview_change(parts, session, id_, items=items, when=when, proration=how)
            previewing.apply(parts, session, seen.token)
        else:
            changing.change(parts, session, id_, items=items, when=when, proration=how)
    if when is ChangeWhen.NOW:
        life.groups[id_] = group


def cancel(life: Life) -> None:
    id_, prorate = running(life), life.chance.random() < 0.7
    with life.acme.parts.begin() as session:
        unused = life.chance.choice(list(Unused))
        changing.cancel(life.acme.parts, session, id_, when=CancelWhen.NOW, prorate=prorate, unused=unused)


def use(life: Life) -> None:
    """Something is used, or was some time ago."""
    number = life.subscriptions.index(running(life))
    own = [code for code in GROUPS[life.groups[life.subscriptions[number]]] if code in METERED]
    if own:
        quantity = Decimal(life.chance.randint(1, 900)) / life.chance.choice([1, 1, 10])
        at = life.acme.now() - timedelta(days=life.chance.choice([0, 0, 0, 1, 3, 35]))
        life.house_of[life.subscriptions[number]].use(
            NewUsage(f"s{number}", life.chance.choice(own), f"u{len(life.done)}", quantity, at)
        )


def charge(life: Life) -> None:
    rate = life.chance.choice(["standard", "gross", "reduced", None])
    currency, amount = life.chance.choice(["eur", "eur", "eur", "usd", "jpy", "kwd"]), life.chance.randint(0, 5000)
    with life.acme.parts.begin() as session:
        charge_once(
            life.acme.parts, session, life.chance.choice(life.profiles), amount_minor=amount, currency=currency,
            description="A book", tax_rate=rate,
        )  # fmt: skip


def move(life: Life) -> None:
    """A customer lives elsewhere, or buys for a business from now on."""
    country = life.chance.choice(COUNTRIES)
    kind, tax_id = life.chance.choice([("consumer", None), ("business", TAX_IDS.get(country)), ("business", None)])
    personal = Personal("Person", "p@example.com", Address("Street 1", city="Town", postal_code="10115"), tax_id)
    change = ProfileChange(country, personal, "Europe/Berlin", kind)
    with life.acme.parts.begin() as session:
        whom = life.chance.choice(life.profiles)
        change_profile(session, life.acme.parts.keyring, profile_id=whom, change=change, now=life.acme.now())


def turn(life: Life) -> None:
    """Something is asked of a subscription that leaves its items as they are."""
    id_, parts, coupon = running(life), life.acme.parts, life.chance.choice(COUPONS)
    with parts.begin() as session:
        ways: list[Callable[[], object]] = [
            lambda: changing.pause(parts, session, id_),
            lambda: changing.resume(parts, session, id_),
            lambda: changing.cancel(parts, session, id_, when=CancelWhen.PERIOD_END),
            lambda: changing.uncancel(parts, session, id_),
            lambda: changing.apply_coupon(parts, session, id_, coupon_code=coupon),
        ]
        life.chance.choice(ways)()


def move_all(life: Life) -> None:
    """The seller moves everybody from one price to another."""
    old = life.chance.choice(list(MOVES))
    seller = life.chance.choice(life.houses).seller_id
    list(move_price(life.acme.parts, seller_id=seller, old_code=old, new_code=MOVES[old], dry_run=False))


def give_method(life: Life) -> None:
    life.acme.give_method(life.chance.choice(life.profiles), life.chance.choice(CARDS))


def turn_method(life: Life) -> None:
    """A customer removes a method, or prefers another."""
    with life.acme.begin() as session:
        known = [row.id for row in session.query(PaymentMethod).filter_by(status="active").order_by(PaymentMethod.id)]
    if known:
        way = life.chance.choice([payment_methods.remove, payment_methods.make_default])
        way(life.acme.parts, method_id=life.chance.choice(known))


def erase(life: Life) -> None:
    """Somebody wants to be forgotten; where nothing is open, a stranger takes their place."""
    place = life.chance.randrange(len(life.profiles))
    rights.erase(life.acme.parts, life.profiles[place], order=ORDER)
    life.profiles.pop(place)
    life.add_customer(life.chance.choice(["pm_card_visa", "B-SANDBOX-GOOD"]))


def brake(life: Life) -> None:
    """Charging or issuing is stopped for a customer or for all; or what is stopped starts again."""
    parts, kind = life.acme.parts, life.chance.choice(list(BrakeKind))
    whom = life.chance.choice([None, *life.profiles])
    with life.acme.begin() as session:
        standing = session.execute(text("SELECT kind, profile_id FROM billing.brake ORDER BY id")).all()
    if standing and life.chance.random() < 0.8:
        for each in standing:
            braking.start(parts, BrakeKind(each.kind), profile_id=each.profile_id, order=ORDER)
    elif not standing:
        braking.stop(parts, kind, profile_id=whom, order=ORDER)


ACTS: Mapping[Act, int] = {
    subscribe: 2, change: 7, cancel: 1, use: 4, charge: 2, move: 2, turn: 3, move_all: 1, give_method: 2,
    turn_method: 1, erase: 1, brake: 1,
}  # fmt: skip
