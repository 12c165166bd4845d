"""A company of N subscriptions, written set-wise: sealed profiles, three plans, one tax rate."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from billing.db.copy import binary, copy_rows, field
from billing.kernel.ids import new_id, new_ids
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import seal

DUE = datetime(2026, 1, 15, tzinfo=UTC)
LATER = datetime(2027, 1, 15, tzinfo=UTC)
_COUNTRIES = ("DE", "FR", "IT", "US", "ES", "NL")
_CHUNK = 20_000
_PROFILE = (
    "id", "seller_id", "account_id", "anonymous_id", "country", "timezone", "buyer_kind", "has_tax_id", "personal",
    "version",
)  # fmt: skip
_SUBSCRIPTION = (
    "id", "seller_id", "profile_id", "code", "status", "currency", "interval_unit", "interval_count", "timezone",
    "anchor_at", "anchor_no", "next_period_no", "started_at", "next_due_at", "collection", "days_until_due", "version",
)  # fmt: skip


def seed(engine: Engine, keyring: Keyring, *, due: int, total: int) -> None:
    """Write `total` subscriptions of one item each, of which `due` are due at `DUE`; the rest a year later."""
    with Session(engine) as session, session.begin():
        seller, prices = _catalogue(session)
    for first in range(0, total, _CHUNK):
        with Session(engine) as session, session.begin():
            _customers(session, keyring, seller, prices, first=first, last=min(first + _CHUNK, total), due=due)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Only what was seeded: statistics of an empty table would make the first plans believe it stays empty.
        for table in ("data_key", "profile", "subscription", "subscription_item"):
            connection.execute(text(f"VACUUM ANALYZE billing.{table}"))


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


def _catalogue(session: Session) -> tuple[UUID, list[UUID]]:
    seller, rate, product = new_ids(3)
    session.execute(
        text(
            """
            INSERT INTO billing.seller (id, code, legal_name, country, address, tax_id, currency, timezone, catch_up,
                catch_up_limit, dunning_retry_s, dunning_final)
            VALUES (:id, 'BENCH', 'Bench GmbH', 'DE', CAST(:address AS jsonb), 'DE123456788', 'eur', 'UTC',
                'bill_each', 12, '{259200,432000,604800}', 'cancel')
            """
        ),
        {"id": seller, "address": json.dumps({"line1": "Street 1", "city": "Town", "postal_code": "10115"})},
    )
    session.execute(
        text(
            "INSERT INTO billing.series (id, seller_id, kind, prefix, next_no) "
            "VALUES (:id, :seller, 'invoice', 'BENCH-', 1)"
        ),
        {"id": new_id(), "seller": seller},
    )
    session.execute(
        text(
            "INSERT INTO billing.tax_rate (id, seller_id, name, percent, inclusive, countries) "
            """VALUES (:id, :seller, 'standard', 19, false, '{"FR": "20", "IT": "22", "ES": "21", "NL": "21"}')"""
        ),
        {"id": rate, "seller": seller},
    )
    session.execute(
        text("INSERT INTO billing.product (id, seller_id, code, name) VALUES (:id, :seller, 'plan', 'Plan')"),
        {"id": product, "seller": seller},
    )
    prices = new_ids(3)
    session.execute(
        text(
            "INSERT INTO billing.price (id, seller_id, product_id, tax_rate_id, code, currency, model, unit_amount, "
            "interval_unit, interval_count) "
            "VALUES (:id, :seller, :product, :rate, :code, 'eur', 'per_unit', :amount, 'month', 1)"
        ),
        [
            {"id": id_, "seller": seller, "product": product, "rate": rate, "code": f"p{amount}", "amount": amount}
            for id_, amount in zip(prices, (900, 2900, 9900), strict=True)
        ],
    )
    return seller, prices


def _customers(
    session: Session, keyring: Keyring, seller: UUID, prices: list[UUID], *, first: int, last: int, due: int
) -> None:
    profiles, keys, subscriptions, items = (new_ids(last - first) for _ in range(4))
    key_rows, profile_rows, subscription_rows, item_rows = [], [], [], []
    for place, number in enumerate(range(first, last)):
        profile, key_id = profiles[place], keys[place]
        key = secrets.token_bytes(32)
        wrapped = keyring.wrap(key, row=key_id)
        country = _COUNTRIES[number % len(_COUNTRIES)]
        personal = json.dumps(
            {
                "name": f"Customer {number}",
                "email": f"customer{number}@example.com",
                "address": {"line1": f"Road {number}", "city": "Town", "postal_code": "10115", "country": country},
            }
        )
        sealed = seal(key, personal.encode(), table="profile", row=profile, column="personal")
        key_rows.append(f"{key_id}\tprofile\t{profile}\t0\t{wrapped.master_id}\t{binary(wrapped.wrapped)}")
        profile_rows.append(
            f"{profile}\t{seller}\tacc-{number}\t{uuid4()}\t{country}\tUTC\tconsumer\tf\t{binary(sealed)}\t1"
        )
        at = (DUE if number < due else LATER).isoformat()
        subscription_rows.append(
            f"{subscriptions[place]}\t{seller}\t{profile}\t{field(f'sub-{number}')}\tactive\teur\tmonth\t1\tUTC\t{at}\t0\t0"
            f"\t{at}\t{at}\tautomatic\t30\t1"
        )
        item_rows.append(f"{items[place]}\t{seller}\t{subscriptions[place]}\t{prices[number % 3]}\t1\t1\t1")
    copy_rows(session, "data_key", ("id", "purpose", "owner_id", "year", "master_id", "wrapped"), key_rows)
    copy_rows(
        session,
        "profile",
        _PROFILE,
        profile_rows,
    )
    copy_rows(
        session,
        "subscription",
        _SUBSCRIPTION,
        subscription_rows,
    )
    copy_rows(
        session,
        "subscription_item",
        ("id", "seller_id", "subscription_id", "price_id", "quantity", "position", "version"),
        item_rows,
    )
