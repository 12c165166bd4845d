"""`./run bench usage`: records of usage a second, in the largest batches, and the same ones sent again."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

from billing.commands.usage.record import record_usage
from billing.flows.parts import Parts
from billing.sandbox.bench.company import DUE
from billing.sandbox.bench.counting import counting_statements
from billing.sandbox.bench.figures import Json, Report, Spread
from billing.sandbox.bench.mixed import BEGAN, METERED, quantity_of, seed_mixed
from billing.sandbox.bench.scratch import parts_of, scratch
from billing.sandbox.embedded import start
from billing.sandbox.environment import place_of
from billing.validators.usage import MOST_RECORDS, NewUsage

_NOW = DUE - timedelta(days=1)


def run(*, batches: int, subscriptions: int, report: Report) -> None:
    """Measure and tell. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    try:
        with scratch(servers) as made:
            report.progress(f"seeding {subscriptions:,} subscriptions ...")
            seller = seed_mixed(made.engine, made.keyring, due=subscriptions, records=0)
            with parts_of(made) as parts:
                figures = measure(parts, seller, batches=batches, subscriptions=subscriptions, size=MOST_RECORDS)
    finally:
        servers.remove()
    fresh, again = (Spread(**figures[name]) for name in ("records_a_second", "repeated_a_second"))
    report.table(
        f"Usage: {batches} batches of {MOST_RECORDS:,} over {subscriptions:,} subscriptions, one process",
        ("what", "records a second", "against new ones"),
        [
            ("new records", fresh.told(), "1.00"),
            ("the same ones again", again.told(), f"{again.median / fresh.median:.2f}"),
        ],
    )
    report.line(f"statements a batch: {figures['statements_a_batch']}")
    report.end(figures)


def measure(parts: Parts, seller_id: UUID, *, batches: int, subscriptions: int, size: int) -> Json:
    """Record `batches` of `size`, after one that warms up, and then the same ones again."""
    made = [_batch(nth, subscriptions=subscriptions, size=size) for nth in range(batches + 1)]
    with counting_statements() as sent:
        _record(parts, seller_id, made[0])
    fresh = [size / _record(parts, seller_id, batch) for batch in made[1:]]
    again = [size / _record(parts, seller_id, batch) for batch in made[1:]]
    return {
        "records_a_second": Spread.of(fresh).as_json(),
        "repeated_a_second": Spread.of(again).as_json(),
        "statements_a_batch": len(sent),
    }


def _batch(nth: int, *, subscriptions: int, size: int) -> list[NewUsage]:
    """Records of all subscriptions by turns, stamped over the running period."""
    step = (_NOW - BEGAN) / size
    return [
        NewUsage(
            subscription=f"sub-{place % subscriptions}",
            price_code=METERED,
            record_id=f"{nth}-{place}",
            quantity=quantity_of(place, nth),
            used_at=BEGAN + step * place,
        )
        for place in range(size)
    ]


def _record(parts: Parts, seller_id: UUID, batch: list[NewUsage]) -> float:
    began = time.perf_counter()
    with parts.begin() as session:
        record_usage(session, seller_id=seller_id, new=batch, now=_NOW)
    return time.perf_counter() - began
