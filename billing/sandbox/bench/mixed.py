"""A company whose subscriptions hold some of everything: the lines that a renewal can have, in one period each.

Each has a plan and a metered price in graduated tiers with recorded usage. By turns they also have seats (one in 2), a
coupon (one in 3), waiting lines of a change (one in 4), credit in store (one in 5), a tax id (two in 5, abroad: reverse
charge).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from billing.db.copy import NULL, copy_rows
from billing.kernel.ids import new_id, new_ids
from billing.models import Coupon
from billing.privacy.keyring import Keyring
from billing.sandbox.bench.company import (
    ABROAD,
    DUE,
    ITEM,
    Offer,
    country_of,
    plans,
    settle,
    write_prices,
    write_profiles,
    write_seller,
)

BEGAN = datetime(2025, 12, 15, tzinfo=UTC)
"""When all subscriptions began: their second period is due at `DUE`."""
METERED = "calls"
"""The code of the metered price."""
RECORDS = 50
"""Usage records of a subscription in its period."""
EACH_KIND = 60
"""So many customers in a row hold every combination."""
_CHUNK = 5_000
_TIERS: tuple[dict[str, str | None], ...] = (
    {"up_to": "1000", "unit": "0", "flat": "0"},
    {"up_to": "2000", "unit": "0.5", "flat": "0"},
    {"up_to": None, "unit": "0.25", "flat": "100"},
)
_SEATS = 1200
_HOW = '{"numerator":1,"denominator":1,"rounding":"half_away_from_zero"}'
_SUBSCRIPTION = (
    "id", "seller_id", "profile_id", "code", "status", "currency", "interval_unit", "interval_count", "timezone",
    "anchor_at", "anchor_no", "next_period_no", "started_at", "next_due_at", "current_period_start",
    "current_period_end", "coupon_id", "collection", "days_until_due", "version",
)  # fmt: skip
_WAITING = (
    "id", "seller_id", "subscription_id", "kind", "price_id", "description", "quantity", "unit_amount", "amount_minor",
    "period_start", "period_end", "how", "tax_percent", "tax_inclusive", "tax_code", "credits_line_id",
    "credits_issued",
)  # fmt: skip
_USAGE = ("id", "seller_id", "subscription_id", "price_id", "record_id", "quantity", "used_at", "counts_at")


def seed_mixed(engine: Engine, keyring: Keyring, *, due: int, records: int = RECORDS) -> UUID:
    """Write `due` subscriptions, all due at `DUE`, with `records` usage records each. Returns the seller's id."""
    with Session(engine) as session, session.begin():
        seller, rate = write_seller(session)
        offers = (*plans(), Offer("seats", _SEATS), Offer(METERED, tiers=_TIERS, usage="sum"))
        prices = write_prices(session, seller, rate, offers)
        coupon = _coupon(session, seller)
    for first in range(0, due, _CHUNK):
        numbers = range(first, min(first + _CHUNK, due))
        with Session(engine) as session, session.begin():
            profiles = write_profiles(session, keyring, seller, numbers, business=_is_business)
            subscriptions = _subscriptions(session, seller, coupon, profiles, numbers)
            _items(session, seller, prices, subscriptions, numbers)
            _waiting(session, seller, prices, subscriptions, numbers)
            _credit(session, seller, profiles, numbers)
            _usage(session, seller, prices[-1], subscriptions, records)
    seeded = ("data_key", "profile", "subscription", "subscription_item", "waiting_line", "credit_balance")
    settle(engine, (*seeded, "usage_record") if records else seeded)
    return seller


def _is_business(number: int) -> bool:
    return number % 5 in (2, 3)


def _coupon(session: Session, seller: UUID) -> UUID:
    made = Coupon(id=new_id(), seller_id=seller, code="tenth", percent=Decimal(10), duration="forever")
    session.add(made)
    session.flush()
    return made.id


def _subscriptions(session: Session, seller: UUID, coupon: UUID, profiles: list[UUID], numbers: range) -> list[UUID]:
    ids, began, due = new_ids(len(numbers)), BEGAN.isoformat(), DUE.isoformat()
    copy_rows(
        session,
        "subscription",
        _SUBSCRIPTION,
        (
            f"{id_}\t{seller}\t{profile}\tsub-{number}\tactive\teur\tmonth\t1\tUTC\t{began}\t0\t1\t{began}\t{due}\t{began}"
            f"\t{due}\t{NULL if number % 3 else coupon}\tautomatic\t30\t1"
            for id_, profile, number in zip(ids, profiles, numbers, strict=True)
        ),
    )
    return ids


def _items(session: Session, seller: UUID, prices: list[UUID], subscriptions: list[UUID], numbers: range) -> None:
    *plan_prices, seats, metered = prices
    rows: list[str] = []
    for subscription, number in zip(subscriptions, numbers, strict=True):
        held: list[tuple[UUID, int | str]] = [(plan_prices[number % 3], 1), (metered, NULL)]
        if number % 2 == 0:
            held.insert(1, (seats, 1 + number % 9))
        rows.extend(
            f"{new_id()}\t{seller}\t{subscription}\t{price}\t{quantity}\t{position}\t{BEGAN.isoformat()}\t1"
            for position, (price, quantity) in enumerate(held, start=1)
        )
    copy_rows(session, "subscription_item", ITEM, rows)


def _waiting(session: Session, seller: UUID, prices: list[UUID], subscriptions: list[UUID], numbers: range) -> None:
    """What a change in the middle of the period left: a credit for an issued line, and a charge."""
    middle = BEGAN + (DUE - BEGAN) / 2
    rows: list[str] = []
    for subscription, number in zip(subscriptions, numbers, strict=True):
        if number % 4 != 1:
            continue
        percent, code = _taxed(number)
        head, price = f"{seller}\t{subscription}", prices[number % 3]
        span = f"{middle.isoformat()}\t{DUE.isoformat()}\t{_HOW}"
        amount = 100 + number % 300
        rows.append(
            f"{new_id()}\t{head}\tproration_credit\t{price}\tPlan\t1\t{NULL}\t{-amount}\t{span}"
            f"\t{percent}\tf\t{code}\t{new_id()}\tt"
        )
        rows.append(
            f"{new_id()}\t{head}\tproration_charge\t{price}\tPlan\t1\t{NULL}\t{2 * amount}\t{span}"
            f"\t{NULL}\t{NULL}\t{NULL}\t{NULL}\tf"
        )
    copy_rows(session, "waiting_line", _WAITING, rows)


def _taxed(number: int) -> tuple[str, str]:
    """Percent and code of a sale to that customer, as the issued line bore them."""
    country = country_of(number)
    if country == "DE":
        return "19", "domestic"
    if country not in ABROAD:
        return "0", "outside"
    return ("0", "reverse_charge") if _is_business(number) else (ABROAD[country], "destination")


def _credit(session: Session, seller: UUID, profiles: list[UUID], numbers: range) -> None:
    copy_rows(
        session,
        "credit_balance",
        ("id", "seller_id", "profile_id", "currency", "amount_minor", "version"),
        (
            f"{new_id()}\t{seller}\t{profile}\teur\t{500 + number % 1000}\t1"
            for profile, number in zip(profiles, numbers, strict=True)
            if number % 5 == 0
        ),
    )


def _usage(session: Session, seller: UUID, price: UUID, subscriptions: list[UUID], records: int) -> None:
    """Records of one subscription lie apart, as they come in over a month."""
    step = (DUE - BEGAN - timedelta(seconds=1)) / max(records, 1)
    for nth in range(records):
        at = (BEGAN + step * nth).isoformat()
        copy_rows(
            session,
            "usage_record",
            _USAGE,
            (
                f"{id_}\t{seller}\t{subscription}\t{price}\t{nth}\t{quantity_of(place, nth)}\t{at}\t{at}"
                for place, (id_, subscription) in enumerate(
                    zip(new_ids(len(subscriptions)), subscriptions, strict=True)
                )
            ),
        )


def quantity_of(subscription_no: int, record_no: int) -> Decimal:
    """A quantity that varies, with one decimal place."""
    return Decimal((subscription_no * 7919 + record_no * 104_729) % 997 + 1) / 10
