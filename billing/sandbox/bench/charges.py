"""`./run bench charges`: one real worker charges at a stand-in that is slow and limits; and beside the bare SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from billing.kernel.ids import new_ids
from billing.providers.stripe.client import build_client
from billing.providers.stripe.witness import Witness, WitnessedRequest
from billing.queue.celery import Broker, make_app
from billing.queue.names import COLLECTIONS_TICK, INBOX_TICK
from billing.sandbox import processes
from billing.sandbox.bench.charging_ground import KEY, Ground, charging_ground
from billing.sandbox.bench.figures import Json, Report
from billing.sandbox.embedded import start
from billing.sandbox.environment import place_of
from billing.sandbox.plan import Plan
from billing.sandbox.processes import Program
from billing.sandbox.programs import child_environment, command

LATENCY_MS = 300
CAP, ENDPOINT_CAP = 100, 25
WORKER = "worker-1"
STEADY = 0.97
"""Part of the charges over which the rate is told."""
_LOOK_S = 0.5
_TICK_S = 2.0
_DEADLINE_S = 3600.0
_UNLIMITED = "100000"


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the worker. `cap` and `endpoint_cap`: calls a second, of the stand-in and by setting; 0: none."""

    name: str
    invoices: int
    cap: int = 0
    endpoint_cap: int = 0
    latency_ms: int = 0
    rereads: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What the stand-in saw while charges went on, and how the worker's memory grew."""

    case: Case
    seconds: float
    charges: int
    calls: int
    throttled: int
    rereads: int
    memory_mb: list[tuple[int, float]]
    """(charges so far, resident MB of the worker's processes together)."""

    @property
    def of_cap(self) -> float | None:
        cap = self.case.endpoint_cap or self.case.cap
        return self.calls / self.seconds / cap if cap else None

    @property
    def slope_mb(self) -> float | None:
        """MB that 10,000 charges add, from the first third on: what a process loads at first is no slope."""
        later = [point for point in self.memory_mb if point[0] >= self.charges / 3]
        if len(later) < 2 or later[-1][0] == later[0][0]:
            return None
        return (later[-1][1] - later[0][1]) / (later[-1][0] - later[0][0]) * 10_000


def run(*, seconds: int, charges: int, in_flight: int, report: Report) -> None:
    """Measure and tell. `seconds`: how long each capped case is to last; `charges`: of the case without a cap."""
    cases = [
        Case("cap 100, 300 ms", CAP * seconds, cap=CAP, latency_ms=LATENCY_MS),
        Case("the same with re-reads", CAP * seconds, cap=CAP, latency_ms=LATENCY_MS, rereads=3 * seconds),
        Case("25 an endpoint, 300 ms", ENDPOINT_CAP * seconds, CAP, ENDPOINT_CAP, LATENCY_MS),
        Case("no cap, no latency", charges),
    ]
    servers = start(place_of("bench").root)
    try:
        with charging_ground(
            servers, invoices=sum(each.invoices for each in cases), spare=1000, report=report
        ) as ground:
            results = [measure(ground, case, in_flight=in_flight, report=report) for case in cases]
            floor = bare_sdk(ground, in_flight=in_flight)
    finally:
        servers.remove()
    report.end(tell(results, floor, report))


def measure(ground: Ground, case: Case, *, in_flight: int, report: Report) -> Result:
    """Release the case's invoices and let one worker charge them."""
    report.progress(f"{case.name}: {case.invoices:,} charges ...")
    witness = Witness(ground.url)
    ground.configure(rate_limit_per_s=case.cap, endpoint_limit_per_s=case.endpoint_cap, latency_ms=case.latency_ms)
    with ground.engine.begin() as connection:
        connection.execute(text("DELETE FROM billing.provider_rate"))
    # Made by this process, so before anything is counted.
    refund = _refund(ground) if case.rereads else ""
    before, paid = witness.state().requests, ground.count(_PAID)
    memory: list[tuple[int, float]] = []
    with _worker(ground, case, in_flight) as broker:
        ground.release(case.invoices)
        if case.rereads:
            _events(ground, refund, case.rereads)
        ticked, deadline = 0.0, time.monotonic() + _DEADLINE_S
        while (done := ground.count(_PAID) - paid) < case.invoices:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{case.name}: only {done} of {case.invoices} were charged")
            if time.monotonic() - ticked > _TICK_S:
                broker.send_tick(COLLECTIONS_TICK)
                broker.send_tick(INBOX_TICK)
                ticked = time.monotonic()
            memory.append((done, _resident_mb()))
            time.sleep(_LOOK_S)
    return seen(case, list(witness.requests(after=before)), memory)


_PAID = "SELECT count(*) FROM billing.payment WHERE status = 'succeeded'"


def seen(case: Case, requests: list[WitnessedRequest], memory: list[tuple[int, float]]) -> Result:
    """From the first charge that was asked for to the last of those that came without waiting.

    The last few were turned away before and wait for their back-off: then there is not enough to do for a rate.
    """
    asked = sorted(each.wall_time for each in requests if each.path == "/v1/payment_intents")
    asked = asked[: max(2, int(len(asked) * STEADY))]
    during = [each for each in requests if asked[0] <= each.wall_time <= asked[-1]]
    throttled = sum(each.status == 429 for each in during)
    return Result(
        case=case,
        seconds=(asked[-1] - asked[0]).total_seconds(),
        charges=sum(each.path == "/v1/payment_intents" and each.status == 200 for each in during),
        calls=len(during) - throttled,
        throttled=throttled,
        rereads=sum(each.method == "GET" for each in during),
        memory_mb=memory,
    )


def bare_sdk(ground: Ground, *, in_flight: int) -> float:
    """Charges a second of the SDK alone, with the same concurrency against the same stand-in, without its knobs."""
    ground.configure(rate_limit_per_s=0, endpoint_limit_per_s=0, latency_ms=0)
    client = build_client(api_key=KEY, connect_s=5, read_s=25, base_address=ground.url)

    def charge(refs: tuple[str, str]) -> None:
        customer, method = refs
        metadata = {"invoice_id": str(uuid4()), "payment_id": str(uuid4())}
        client.v1.payment_intents.create(_order(customer, method, metadata), {"idempotency_key": str(uuid4())})

    began = time.perf_counter()
    with ThreadPoolExecutor(in_flight) as pool:
        for _ in pool.map(charge, ground.spare):
            pass
    return len(ground.spare) / (time.perf_counter() - began)


@contextmanager
def _worker(ground: Ground, case: Case, in_flight: int) -> Iterator[Broker]:
    """One stock Celery worker with production's time-outs and two processes: one charges, one handles events."""
    place, settings = place_of("bench"), ground.made.settings
    secret = settings.billing_secret_key
    values = {
        "DATABASE_URL": settings.database_url or "",
        "BROKER_URL": settings.broker_url or "",
        "BILLING_SECRET_KEY": secret.get_secret_value() if secret else "",
        "STRIPE_API_KEY": KEY,
        "STRIPE_API_BASE": ground.url,
        "BILLING_CHARGES_IN_FLIGHT": str(in_flight),
        "BILLING_PROVIDER_CALLS_PER_S": str(case.cap) if case.cap else _UNLIMITED,
        "BILLING_PROVIDER_ENDPOINT_CALLS_PER_S": str(case.endpoint_cap),
        "BILLING_LOG_LEVEL": "WARNING",
    }
    line = [*command(WORKER, place, Plan()), "--concurrency", "2" if case.rereads else "1", "-Q", "charges,webhooks"]
    app = make_app(settings)
    app.control.purge()
    processes.launch(place.folder, Program(WORKER, line, child_environment(place, values)))
    try:
        deadline = time.monotonic() + 90
        while not app.control.ping(timeout=1.0):
            if time.monotonic() > deadline:
                raise RuntimeError("the worker does not answer")
        yield Broker(app)
    finally:
        processes.stop(place.folder, [WORKER])


def _events(ground: Ground, refund: str, number: int) -> None:
    """Deliveries about a refund, which is read anew for each."""
    rows = [
        {"id": id_, "account": ground.account_id, "event": f"evt_bench_{id_.hex}", "object": refund}
        for id_ in new_ids(number)
    ]
    statement = """
        INSERT INTO billing.provider_event (id, provider_account_id, event_ref, type, object_ref, object_type,
            occurred_at, livemode, secret_index, body_hash, status, tries, token, next_try_at, version)
        VALUES (:id, :account, :event, 'refund.updated', :object, 'refund', now(), false, 0, '', 'received', 0, 0,
            now(), 1)"""
    with ground.engine.begin() as connection:
        connection.execute(text(statement), rows)


def _refund(ground: Ground) -> str:
    client = build_client(api_key=KEY, connect_s=5, read_s=25, base_address=ground.url)
    customer, method = ground.spare[0]
    intent: Any = client.v1.payment_intents.create(_order(customer, method, {}))
    return client.v1.refunds.create({"charge": intent.latest_charge, "amount": 100}).id


def _order(customer: str, method: str, metadata: dict[str, str]) -> Any:
    """What the engine asks of the provider for one charge."""
    return {
        "amount": 1071,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        "off_session": True,
        "metadata": metadata,
    }


def _resident_mb() -> float:
    """Of the worker's processes together; 0 where /proc is not."""
    found = processes.find(place_of("bench").folder, WORKER)
    children = Path(f"/proc/{found.pid}/task/{found.pid}/children") if found else None
    if found is None or children is None or not children.exists():
        return 0.0
    total = 0.0
    for pid in (found.pid, *map(int, children.read_text().split())):
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            line = next((line for line in status.read_text().splitlines() if line.startswith("VmRSS")), "VmRSS: 0")
            total += int(line.split()[1]) / 1024
    return total


def tell(results: list[Result], floor: float, report: Report) -> Json:
    """A row a case; the last, without a cap, beside the bare SDK."""
    report.table(
        "Charges: one worker",
        (
            "case",
            "charges a second",
            "calls a second",
            "of the cap",
            "answered 429",
            "re-reads",
            "peak MB",
            "MB a 10,000",
        ),
        [
            (
                result.case.name,
                f"{result.charges / result.seconds:,.1f}",
                f"{result.calls / result.seconds:,.1f}",
                "" if result.of_cap is None else f"{result.of_cap:.1%}",
                f"{result.throttled / max(1, result.calls + result.throttled):.2%}",
                str(result.rereads),
                f"{max((mb for _, mb in result.memory_mb), default=0):.0f}",
                "" if result.slope_mb is None else f"{result.slope_mb:+.1f}",
            )
            for result in results
        ],
    )
    free = results[-1]
    rate = free.charges / free.seconds
    report.line(
        f"the bare SDK, same concurrency and stand-in: {floor:,.0f} a second; the engine {rate / floor:.2f} of it"
    )
    return {
        "cases": [
            {
                "case": result.case.name,
                "charges": result.charges,
                "charges_a_second": round(result.charges / result.seconds, 2),
                "calls_a_second": round(result.calls / result.seconds, 2),
                "of_cap": result.of_cap and round(result.of_cap, 4),
                "answered_429": round(result.throttled / max(1, result.calls + result.throttled), 5),
                "rereads": result.rereads,
                "mb_per_10000": result.slope_mb and round(result.slope_mb, 2),
            }
            for result in results
        ],
        "bare_sdk_a_second": round(floor, 1),
        "of_bare_sdk": round(rate / floor, 3),
    }
