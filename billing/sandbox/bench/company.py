"""A company of N subscriptions, written set-wise: sealed profiles, three plans, one tax rate."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from billing.db.copy import binary, copy_rows, field
from billing.kernel.ids import new_id, new_ids
from billing.models import Price, Product, Seller, Series, TaxRate
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import seal

DUE = datetime(2026, 1, 15, tzinfo=UTC)
LATER = datetime(2027, 1, 15, tzinfo=UTC)
_COUNTRIES = ("DE", "FR", "IT", "US", "ES", "NL")
ABROAD = {"FR": "20", "IT": "22", "ES": "21", "NL": "21"}
"""Percents of the one tax rate, by destination."""
CHUNK = 20_000
_PROFILE = (
    "id", "seller_id", "account_id", "anonymous_id", "country", "timezone", "buyer_kind", "has_tax_id", "personal",
    "version",
)  # fmt: skip
_SUBSCRIPTION = (
    "id", "seller_id", "profile_id", "code", "status", "currency", "interval_unit", "interval_count", "timezone",
    "anchor_at", "anchor_no", "next_period_no", "started_at", "next_due_at", "collection", "days_until_due", "version",
)  # fmt: skip
ITEM = ("id", "seller_id", "subscription_id", "price_id", "quantity", "position", "counts_from", "version")


def seed(engine: Engine, keyring: Keyring, *, due: int, total: int) -> None:
    """Write `total` subscriptions of one item each, of which `due` are due at `DUE`; the rest a year later."""
    with Session(engine) as session, session.begin():
        seller, rate = write_seller(session)
        prices = write_prices(session, seller, rate, plans())
    for first in range(0, total, CHUNK):
        with Session(engine) as session, session.begin():
            _customers(session, keyring, seller, prices, first=first, last=min(first + CHUNK, total), due=due)
    settle(engine, ("data_key", "profile", "subscription", "subscription_item"))


def settle(engine: Engine, tables: Sequence[str]) -> None:
    """Vacuum and analyze what was seeded, and only that; then have it written out, as on a server that runs for long.

    Statistics of an empty table would make the first plans believe that it stays empty. Without the checkpoint the
    server would make, while it is measured, the files of its log that it uses again from then on.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.execute(text(f"VACUUM ANALYZE billing.{table}"))
        connection.execute(text("CHECKPOINT"))


def set_clock(engine: Engine, now: datetime) -> None:
    """Move business time."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, :now) "
                "ON CONFLICT (one) DO UPDATE SET instant = excluded.instant"
            ),
            {"now": now},
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """A monthly price of the company, in euro cents."""

    code: str
    amount_minor: int | None = None
    tiers: tuple[dict[str, str | None], ...] | None = None
    usage: str | None = None


def plans() -> tuple[Offer, ...]:
    """The three plans."""
    return tuple(Offer(f"p{amount}", amount) for amount in (900, 2900, 9900))


def write_seller(session: Session) -> tuple[UUID, UUID]:
    """The seller with its series of invoice numbers, and one tax rate. Returns the ids of seller and rate."""
    seller, rate = new_ids(2)
    session.add(
        Seller(
            id=seller,
            code="BENCH",
            legal_name="Bench GmbH",
            country="DE",
            address={"line1": "Street 1", "city": "Town", "postal_code": "10115"},
            tax_id="DE123456788",
            currency="eur",
            timezone="UTC",
            dunning_retry_s=[259_200, 432_000, 604_800],
        )
    )
    session.flush()
    session.add(Series(id=new_id(), seller_id=seller, kind="invoice", prefix="BENCH-"))
    session.add(TaxRate(id=rate, seller_id=seller, name="standard", percent=Decimal(19), countries=ABROAD))
    session.flush()
    return seller, rate


def write_prices(session: Session, seller: UUID, rate: UUID, offers: Sequence[Offer]) -> list[UUID]:
    """One product and its prices. Returns their ids in order."""
    product, *prices = new_ids(1 + len(offers))
    session.add(Product(id=product, seller_id=seller, code="plan", name="Plan"))
    session.flush()
    for id_, offer in zip(prices, offers, strict=True):
        price = Price(
            id=id_,
            seller_id=seller,
            product_id=product,
            tax_rate_id=rate,
            code=offer.code,
            currency="eur",
            unit_amount=None if offer.amount_minor is None else Decimal(offer.amount_minor),
            usage=offer.usage,
            interval_unit="month",
        )
        if offer.tiers is not None:
            price.model, price.tiers = "graduated", list(offer.tiers)
        session.add(price)
    session.flush()
    return prices


def write_profiles(
    session: Session,
    keyring: Keyring,
    seller: UUID,
    numbers: range,
    *,
    business: Callable[[int], bool] = lambda _: False,
) -> list[UUID]:
    """Sealed profiles, in six countries by turns; those that are `business` have a tax id. Returns their ids."""
    profiles, keys = new_ids(len(numbers)), new_ids(len(numbers))
    key_rows, profile_rows = [], []
    for profile, key_id, number in zip(profiles, keys, numbers, strict=True):
        key = secrets.token_bytes(32)
        wrapped = keyring.wrap(key, row=key_id)
        country = country_of(number)
        personal = json.dumps(
            {
                "name": f"Customer {number}",
                "email": f"customer{number}@example.com",
                "address": {"line1": f"Road {number}", "city": "Town", "postal_code": "10115", "country": country},
            }
        )
        sealed = seal(key, personal.encode(), table="profile", row=profile, column="personal")
        key_rows.append(f"{key_id}\tprofile\t{profile}\t0\t{wrapped.master_id}\t{binary(wrapped.wrapped)}")
        kind = "business\tt" if business(number) else "consumer\tf"
        profile_rows.append(
            f"{profile}\t{seller}\tacc-{number}\t{uuid4()}\t{country}\tUTC\t{kind}\t{binary(sealed)}\t1"
        )
    copy_rows(session, "data_key", ("id", "purpose", "owner_id", "year", "master_id", "wrapped"), key_rows)
    copy_rows(session, "profile", _PROFILE, profile_rows)
    return profiles


def country_of(number: int) -> str:
    """The country of the customer of that number."""
    return _COUNTRIES[number % len(_COUNTRIES)]


def _customers(
    session: Session, keyring: Keyring, seller: UUID, prices: list[UUID], *, first: int, last: int, due: int
) -> None:
    numbers = range(first, last)
    profiles = write_profiles(session, keyring, seller, numbers)
    subscriptions, items = new_ids(len(numbers)), new_ids(len(numbers))
    subscription_rows, item_rows = [], []
    for place, number in enumerate(numbers):
        at = (DUE if number < due else LATER).isoformat()
        subscription_rows.append(
            f"{subscriptions[place]}\t{seller}\t{profiles[place]}\t{field(f'sub-{number}')}\tactive\teur\tmonth\t1\tUTC"
            f"\t{at}\t0\t0\t{at}\t{at}\tautomatic\t30\t1"
        )
        item_rows.append(f"{items[place]}\t{seller}\t{subscriptions[place]}\t{prices[number % 3]}\t1\t1\t{at}\t1")
    copy_rows(session, "subscription", _SUBSCRIPTION, subscription_rows)
    copy_rows(session, "subscription_item", ITEM, item_rows)
