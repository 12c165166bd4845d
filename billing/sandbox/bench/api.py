"""`./run bench api`: requests a second and p99 of the HTTP API, over a small and over a large table.

In one process and one thread, without a web server: what is measured is ours. Each request is let in, counted, checked
and answered as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from billing.api.door import api
from billing.flows import api_keys
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.privacy.keyring import Keyring
from billing.sandbox.bench.company import DUE, seed, set_clock, settle
from billing.sandbox.bench.figures import Json, Report
from billing.sandbox.bench.scratch import Scratch, parts_of, scratch
from billing.sandbox.embedded import start
from billing.sandbox.environment import place_of
from billing.validators.api_key import Scope

_SUBSCRIPTIONS = 2_000
"""That there are before; what is created and previewed is of their customers."""
_NUMBERS = "'01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0')"
_INVOICES = text(
    f"""
    INSERT INTO billing.invoice (
        id, seller_id, profile_id, subscription_id, kind, series_id, series_no, number, issued_at, currency,
        subtotal_minor, discount_minor, tax_minor, total_minor, credit_applied_minor, amount_due_minor, tax_groups,
        reverse_charge, legal_notes, buyer_country, buyer_kind, parties, document_key_id, content_hash, status,
        collection, amount_paid_minor, amount_refunded_minor, amount_remaining_minor, dunning_step, waits_for_method,
        version)
    SELECT ({_NUMBERS})::uuid, s.seller_id, s.profile_id, s.id, 'invoice', r.id, n, r.prefix || n,
           :now, 'eur', 1000, 0, 190, 1190, 0, 1190, '[]', false, '{{}}', 'DE', 'consumer', '\\x00', :key, '\\x00',
           CASE WHEN n % 50 = 0 THEN 'open' ELSE 'paid' END, 'automatic', CASE WHEN n % 50 = 0 THEN 0 ELSE 1190 END, 0,
           CASE WHEN n % 50 = 0 THEN 1190 ELSE 0 END, 0, false, 1
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM billing.subscription) s
      ON s.place = n % :subscriptions
    CROSS JOIN billing.series r
    """  # noqa: S608 (our own words)
)


def run(*, invoices: int, seconds: int, report: Report) -> None:
    """Measure and tell. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    sizes = (max(invoices // 100, 1), invoices)
    try:
        with scratch(servers) as made:
            figures = measure(made, sizes=sizes, seconds=seconds, told=report.progress)
    finally:
        servers.remove()
    for name in ("create subscription", "preview a change", "list invoices", "list open invoices"):
        report.table(
            f"{name}: one process, one thread",
            ("invoices", "requests a second", "p50 ms", "p99 ms"),
            [(f"{size:,}", *(f"{each:,.1f}" for each in figures[name][str(size)].values())) for size in sizes],
        )
    report.end(figures)


def measure(made: Scratch, *, sizes: Sequence[int], seconds: float, told: Callable[[str], None]) -> Json:
    """Each request for so many seconds, over tables of these sizes of invoices."""
    told(f"seeding {_SUBSCRIPTIONS:,} customers ...")
    seed(made.engine, made.keyring, due=0, total=_SUBSCRIPTIONS)
    set_clock(made.engine, DUE)
    figures: Json = {}
    with parts_of(made) as parts:
        client, token = _client(parts)
        fresh, before = count(), 0
        for size in sizes:
            told(f"seeding {size - before:,} invoices ...")
            seed_invoices(made.engine, made.keyring, first=before + 1, last=size)
            before = size
            for name, ask in _requests(client, token, fresh).items():
                figures.setdefault(name, {})[str(size)] = _timed(ask, seconds=seconds)
    return figures


def seed_invoices(engine: Engine, keyring: Keyring, *, first: int, last: int) -> None:
    """Write invoices set-wise, one in fifty of them open. Their parties are not sealed: nothing here opens them."""
    key = new_id()
    with Session(engine) as session, session.begin():
        wrapped = keyring.wrap(bytes(32), row=key)
        session.execute(
            text("INSERT INTO billing.data_key VALUES (:id, 'document', :owner, 2026, :master, :wrapped)"),
            {"id": key, "owner": uuid4(), "master": wrapped.master_id, "wrapped": wrapped.wrapped},
        )
        values = {"key": key, "now": DUE, "subscriptions": _SUBSCRIPTIONS}
        session.execute(_INVOICES, {**values, "first": first, "last": last})
        session.execute(text("UPDATE billing.series SET next_no = :next"), {"next": last + 1_000_000})
    settle(engine, ("invoice",))


def _client(parts: Parts) -> tuple[FlaskClient, str]:
    parts = _without_limit(parts)
    app = Flask("bench")
    app.register_blueprint(api(parts))
    with parts.begin() as session:
        seller = session.scalar(text("SELECT id FROM billing.seller"))
    order = Order(actor="bench", reason="a bench")
    made = api_keys.create(parts, seller_id=seller, name="bench", scopes=tuple(Scope), order=order)
    return app.test_client(), made.token


def _without_limit(parts: Parts) -> Parts:
    settings = parts.settings.model_copy(update={"billing_api_requests_per_minute": 10**9})
    return replace(parts, settings=settings)


def _requests(client: FlaskClient, token: str, fresh: Iterator[int]) -> dict[str, Callable[[], Any]]:
    bearer = {"Authorization": f"Bearer {token}"}

    def ask(method: str, path: str, body: Json | None = None) -> Any:
        headers = bearer | {"Idempotency-Key": str(uuid4())}
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json

    subscription = ask("GET", "/subscriptions?limit=1")["data"][0]["id"]
    middle = ask("GET", "/invoices?limit=200")["next"]
    after = f"&after={middle}" if middle else ""

    def create() -> None:
        number = next(fresh)
        given = {"code": f"new-{number}", "account_id": f"acc-{number % _SUBSCRIPTIONS}", "items": [{"price": "p900"}]}
        ask("POST", "/subscriptions", given)

    change = {"items": [{"price": "p2900"}]}
    return {
        "create subscription": create,
        "preview a change": lambda: ask("POST", f"/subscriptions/{subscription}/preview-change", change),
        "list invoices": lambda: ask("GET", f"/invoices?limit=50{after}"),
        "list open invoices": lambda: ask("GET", "/invoices?limit=50&status=open"),
    }


def _timed(ask: Callable[[], Any], *, seconds: float) -> Json:
    ask()
    took: list[float] = []
    end = time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    ordered = sorted(took)
    return {
        "requests_a_second": round(len(took) / sum(took), 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
    }
