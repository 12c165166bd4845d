"""`./run bench webhooks`: what one receiver process takes in, how soon it answers, and how fast workers work it off.

The receiver is the one that a stack runs: the whole web application, in a process of its own, on a PostgreSQL that
flushes every commit to disk. Events are of intents that the books show as paid, as nearly all are.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import SecretStr
from sqlalchemy import text

from billing.kernel.ids import new_ids
from billing.queue.celery import make_app
from billing.sandbox import processes
from billing.sandbox.bench.deliveries import Measured, deliver, event, requests_of
from billing.sandbox.bench.figures import Report
from billing.sandbox.bench.scratch import Scratch, scratch
from billing.sandbox.embedded import start
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import place_of
from billing.sandbox.plan import Plan
from billing.sandbox.probes import HOST, answers, port_for
from billing.sandbox.processes import Program
from billing.sandbox.programs import WEB, WORKER, child_environment, command
from billing.settings import Settings

CLIENTS = 8
_KEY = "sk_test_bench_of_webhooks"
_READY_S = 60.0
_WARM = 200

_ACCOUNT = """
    INSERT INTO billing.provider_account (id, provider, code, livemode, account_ref, version)
    VALUES (:id, 'stripe', 'default', FALSE, 'acct_bench', 1)
"""
_PAID = """
    INSERT INTO billing.payment_intent
        (id, seller_id, invoice_id, provider_account_id, generation, intent_ref, status, version)
    SELECT id, id, id, :account, 1, ref, 'succeeded', 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:refs AS text[])) AS made(id, ref)
"""


def run(*, events: int, report: Report) -> None:
    """Measure and tell. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    place_of("bench").folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with scratch(servers) as bare:
            secret = f"whsec_{secrets.token_hex(16)}"
            given = bare.settings.model_dump(exclude_unset=True)
            given |= {"stripe_api_key": SecretStr(_KEY), "stripe_webhook_secret": SecretStr(secret)}
            made = replace(bare, settings=Settings(**given))
            report.progress(f"{events:,} events of each kind ...")
            refs = _seed(made, events)
            figures = _measure(made, refs, events=events, secret=secret)
    finally:
        servers.remove()
    _tell(figures, report)
    report.end({name: each.as_json() if isinstance(each, Measured) else each for name, each in figures.items()})


def _measure(made: Scratch, refs: list[str], *, events: int, secret: str) -> dict[str, Measured | float]:
    def requests(prefix: str, number: int = events) -> list[bytes]:
        bodies = (event(place, intent_ref=refs[place % len(refs)], prefix=prefix) for place in range(number))
        return requests_of(bodies, secret=secret)

    figures: dict[str, Measured | float] = {}
    make_app(made.settings).control.purge()
    with _receiver(made, made.settings.broker_url or "") as port:
        deliver(port, requests("warm", _WARM), clients=CLIENTS)
        new = requests("new")
        full = figures["new"] = deliver(port, new, clients=CLIENTS)
        rows = _rows(made)
        figures["repeated"] = deliver(port, new, clients=CLIENTS)
        figures["rows_of_repeated"] = _rows(made) - rows
        figures["half"] = deliver(port, requests("half"), clients=CLIENTS, per_s=full.per_s / 2)
    with _silence() as broker, _receiver(made, broker) as port:
        deliver(port, requests("deaf", _WARM), clients=CLIENTS)
        figures["without_broker"] = deliver(port, requests("down"), clients=CLIENTS, per_s=full.per_s / 2)
    figures["drained_a_second"] = _drain(made)
    return figures


def _seed(made: Scratch, number: int) -> list[str]:
    """Intents that are paid, and nothing else of them: their events need no more. Returns the provider's ids."""
    account, *ids = new_ids(number + 1)
    refs = [f"pi_bench{id_.hex}" for id_ in ids]
    with made.engine.begin() as connection:
        # Without their invoices, which no event of theirs asks for.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(_ACCOUNT), {"id": account})
        connection.execute(text(_PAID), {"account": account, "ids": ids, "refs": refs})
    with made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE billing.payment_intent"))
    return refs


@contextmanager
def _receiver(made: Scratch, broker_url: str) -> Iterator[int]:
    """The web application as a stack runs it, one process. Gives its port."""
    place, port = place_of("bench"), port_for(None, None)
    plan = Plan(web_port=port)
    program = Program(WEB, command(WEB, place, plan), child_environment(place, _environment(made, broker_url)))
    processes.launch(place.folder, program)
    try:
        if not wait_until(lambda: answers(f"http://{HOST}:{port}/healthz"), seconds=_READY_S):
            raise RuntimeError("the receiver does not answer")
        yield port
    finally:
        processes.stop(place.folder, [WEB])


@contextmanager
def _silence() -> Iterator[str]:
    """A broker's address where connections are taken and nothing is ever answered: frozen, or cut off."""
    with socket.create_server((HOST, 0)) as listening:
        yield f"redis://{HOST}:{listening.getsockname()[1]}/0"


def _environment(made: Scratch, broker_url: str) -> dict[str, str]:
    settings = made.settings
    hidden = {
        "BILLING_SECRET_KEY": settings.billing_secret_key,
        "STRIPE_API_KEY": settings.stripe_api_key,
        "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
    }
    return {
        "DATABASE_URL": settings.database_url or "",
        "BROKER_URL": broker_url,
        "BILLING_SANDBOX": "1",
        "BILLING_LOG_LEVEL": "ERROR",
        "STRIPE_API_BASE": f"http://{HOST}:9",
    } | {name: value.get_secret_value() for name, value in hidden.items() if value}


def _drain(made: Scratch) -> float:
    """Events a second that one stock worker of one process works off, from its first to its last."""
    place = place_of("bench")
    line = [*command(WORKER, place, Plan()), "-Q", "webhooks"]
    environment = child_environment(place, _environment(made, made.settings.broker_url or ""))
    app = make_app(made.settings)
    processes.launch(place.folder, Program(WORKER, line, environment))
    try:
        deadline = time.monotonic() + _READY_S
        while _count(made, "status IN ('received', 'processing')"):
            app.send_task("inbox.tick", queue="webhooks")
            time.sleep(0.5)
            if time.monotonic() > deadline:
                raise RuntimeError("the worker does not come to an end")
    finally:
        processes.stop(place.folder, [WORKER])
    with made.engine.connect() as connection:
        query = "SELECT count(*), extract(epoch FROM max(updated_at) - min(updated_at)) FROM billing.provider_event"
        number, took_s = connection.execute(text(f"{query} WHERE status = 'processed'")).one()
    return float(number) / float(took_s)


def _rows(made: Scratch) -> int:
    return _count(made, "TRUE")


def _count(made: Scratch, condition: str) -> int:
    with made.engine.connect() as connection:
        query = f"SELECT count(*) FROM billing.provider_event WHERE {condition}"  # noqa: S608 (our own words)
        return int(connection.execute(text(query)).scalar_one())


def _tell(figures: dict[str, Measured | float], report: Report) -> None:
    names = {
        "new": "new events, as fast as they are taken",
        "half": "new events, at half that rate",
        "repeated": "the same ones again",
        "without_broker": "new events at half the rate, the broker silent",
    }
    told = [(label, figures[name]) for name, label in names.items()]
    report.table(
        f"One receiver process, {CLIENTS} clients",
        ("what", "a second", "p50 ms", "p99 ms", "not 200"),
        [
            (
                label,
                f"{each.per_s:,.0f}",
                f"{each.percentile_ms(0.5):.1f}",
                f"{each.percentile_ms(0.99):.1f}",
                str(sum(number for status, number in each.statuses.items() if status != 200)),
            )
            for label, each in told
            if isinstance(each, Measured)
        ],
    )
    report.line(f"rows that the repeated ones added: {figures['rows_of_repeated']:,.0f}")
    report.line(f"one worker process worked off {figures['drained_a_second']:,.0f} events a second")
