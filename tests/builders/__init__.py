"""Builders: plain functions that put a small, consistent world into a database, one noun each, for any test.

Each adds its row to the session, flushes, and returns it; the caller commits. What a test cares about it says itself,
the rest is filled in. Instants are aware UTC, amounts are minor units.
"""

from __future__ import annotations

from tests.builders.charges import attempt, declined, paid, payment_intent, provider_write, unapplied
from tests.builders.documents import (
    bill,
    credited_line,
    deferred,
    entry,
    granted,
    note,
    period,
    period_of,
    refunded,
    subscription,
    taken_back,
)
from tests.builders.jobs import audit_record, delivery, endpoint, event, outbox, slice_, work_item
from tests.builders.keys import KEYRING, SECRET_KEY
from tests.builders.parties import (
    data_key,
    payment_method,
    price,
    product,
    profile,
    provider_account,
    seller,
    series,
    tax_rate,
)
from tests.builders.returns import dispute
from tests.builders.rows import add
from tests.builders.world import World, world

__all__ = [
    "KEYRING",
    "SECRET_KEY",
    "World",
    "add",
    "attempt",
    "audit_record",
    "bill",
    "credited_line",
    "data_key",
    "declined",
    "deferred",
    "delivery",
    "dispute",
    "endpoint",
    "entry",
    "event",
    "granted",
    "note",
    "outbox",
    "paid",
    "payment_intent",
    "payment_method",
    "period",
    "period_of",
    "price",
    "product",
    "profile",
    "provider_account",
    "provider_write",
    "refunded",
    "seller",
    "series",
    "slice_",
    "subscription",
    "taken_back",
    "tax_rate",
    "unapplied",
    "work_item",
    "world",
]
