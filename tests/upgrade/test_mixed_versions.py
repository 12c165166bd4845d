"""Upgrading with billing in flight: a worker of the release before goes on beside the new one, on the new schema.

`release-0024.tar.xz` is what a worker needs of that release: the wheel of commit 8944a18, whose schema is 0024, without
its console and playground, and `worker.py`. It is put in the place of the last release when there is a next one.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from billing.db.migrate import _config, upgrade
from billing.flows.start import start
from billing.providers.stripe.witness import Witness
from billing.queue.buffer import Message
from billing.queue.celery import CeleryTransport, make_app
from billing.queue.depths import depths
from billing.queue.names import (
    COLLECTIONS_RESOLVE,
    COLLECTIONS_TICK,
    INBOX_BACKFILL,
    INBOX_TICK,
    RENEWALS_TICK,
    UPKEEP_TICK,
)
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.wiring import build
from tests.flows.company import START, Company, _seller
from tests.flows.line import Line
from tests.stack import settings_for
from tests.worker_process import kill_group, worker_process

RELEASE, SCHEMA = Path(__file__).with_name("release-0024.tar.xz"), "0024"
CUSTOMERS = 8
BEATS: list[Message] = [
    (tick, ())
    for tick in (RENEWALS_TICK, COLLECTIONS_TICK, COLLECTIONS_RESOLVE, INBOX_BACKFILL, INBOX_TICK, UPKEEP_TICK)
]
"""Upkeep among them: who dies with a slice in hand leaves it to that."""
_PATIENCE_S = 120.0
_SMALL = {"BILLING_SLICE_SIZE": "1", "BILLING_CHARGE_SLICE": "1"}
"""So that both workers have something in hand."""


def _until(condition: Callable[[], object], told: Callable[[], str]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def _did(log: Path) -> set[str]:
    """The tasks with ids that this worker did to the end."""
    lines = [line for line in log.read_text().splitlines() if "task_done" in line]
    return {name for name in ("renewals.bill", "collections.charge") if any(name in line for line in lines)}


@pytest.mark.crash_full
@pytest.mark.timeout(600)
def test_a_worker_of_the_release_before_bills_beside_the_new_one_and_the_audit_holds(
    database_url: str, broker_url: str, tmp_path: Path
) -> None:
    old_release = tmp_path / "old"
    with tarfile.open(RELEASE) as packed:
        packed.extractall(old_release, filter="data")
    with create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1)).begin() as connection:
        connection.execute(text("DROP SCHEMA billing CASCADE"))
    command.upgrade(_config(database_url), SCHEMA)
    old_log, new_log = tmp_path / "old.log", tmp_path / "new.log"

    def told() -> str:
        return "\n".join(log.read_text()[-3000:] for log in (old_log, new_log) if log.exists())

    with serving(Store(MEMORY), seed=1) as provider, ExitStack() as open_:
        settings = settings_for(database_url, provider.url).model_copy(
            update={"broker_url": broker_url, "billing_slice_size": 1, "billing_charge_slice": 1}
        )
        old = open_.enter_context(worker_process("old@test", settings, old_log, folder=old_release, **_SMALL))
        _until(lambda: " ready." in old_log.read_text(), told)
        upgrade(database_url)
        open_.enter_context(worker_process("new@test", settings, new_log, **_SMALL))
        _until(lambda: " ready." in new_log.read_text(), told)
        transport = CeleryTransport(make_app(settings))
        parts = build(settings, transport=transport)
        open_.callback(parts.sessions.kw["bind"].dispose)
        start(parts)
        acme = Company(parts, Line(), Witness(provider.url), provider.url, "", [], *_seller(parts, None))
        acme.set_clock(START)
        customers: list[str] = []

        def one_more() -> None:
            customers.append(f"a{len(customers)}")
            declines = len(customers) % 4 == 1
            acme.customer(customers[-1], method="pm_sandbox_declineThenSucceed" if declines else "pm_card_visa")
            acme.subscribe(customers[-1], f"of-{customers[-1]}")

        for _ in range(CUSTOMERS):
            one_more()
        acme.witness.add_faults({"kind": "timeout_after", "next": 2, "path": "/v1/payment_intents", "method": "POST"})

        def settled(months: int) -> bool:
            """Beat's ticks, whenever there is nothing else to do, until all of so many months is paid or waits."""
            if any(depths(broker_url).values()):
                return False
            if len(acme.invoices()) == months * len(customers) and not acme.waiting():
                return True
            transport.send(BEATS)
            return False

        def both_work() -> bool:
            """Who gets a message is chance: there is more to do until each has done some of it."""
            if any(depths(broker_url).values()):
                return False
            if _did(old_log) and _did(new_log):
                return True
            one_more()
            transport.send(BEATS)
            return False

        _until(lambda: settled(1), told)
        _until(both_work, told)
        _until(lambda: settled(1), told)
        first_month = len(customers)
        # The next month is begun by both, then the old one dies amid its work.
        acme.set_clock(START + timedelta(days=28))
        transport.send(BEATS)
        _until(lambda: len(acme.invoices()) > first_month, told)
        kill_group(old)
        _until(lambda: settled(2), told)
        later = [each.next_attempt_at for each in acme.invoices() if each.status != "paid"]
        assert all(at is not None and at > START + timedelta(days=28) for at in later), (later, told())
        assert acme.violations() == (), told()
        found = [(item.kind, item.summary, item.error) for item in acme.work_items() if item.status == "open"]
        assert found == [], told()
