"""A real worker that is alive and consumes nothing (fault M13 of the field: it would hang for ever) ends itself."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from billing.queue.celery import make_app
from billing.queue.names import QUEUES, UPKEEP_TICK
from billing.sandbox.earpiece import Earpiece, Heard, earpiece
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.tasks.watching import STATUS
from tests.stack import settings_for
from tests.worker_process import worker_process

NODE = "watched@test"


def _until(condition: Callable[[], object], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


class _Collector(Earpiece):
    """Takes spans, in whatever form."""

    def hear(self, heard: Heard) -> int:
        self.heard.append(heard)
        return 200


def _spoken_of(collector: Earpiece, name: bytes) -> bool:
    bodies = [gzip.decompress(each.body) if each.body[:2] == b"\x1f\x8b" else each.body for each in collector.heard]
    return any(name in body for body in bodies)


@pytest.mark.timeout(120)
def test_a_worker_that_consumes_nothing_ends_itself_and_one_that_answers_lives(
    database_url: str, broker_url: str, tmp_path: Path
) -> None:
    with serving(Store(MEMORY)) as stand_in, earpiece(_Collector()) as collector:
        settings = settings_for(database_url, stand_in.url).model_copy(update={"broker_url": broker_url})
        said = tmp_path / "worker.log"
        told = {
            # Its pings are to be answered within a quarter of this, also on a machine that is busy with other tests.
            "BILLING_WATCH_S": "2",
            "BILLING_TRACES_URL": f"http://127.0.0.1:{collector.port}/v1/traces",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with worker_process(NODE, settings, said, **told) as worker:
            assert _until(lambda: said.read_text().count("Task watch.ping") >= 2, seconds=60), said.read_text()
            assert worker.poll() is None, "a worker that hears itself lives"
            app = make_app(settings)
            # A child of the pool sends its spans itself: a thread of its parent's would not live in it.
            app.send_task(UPKEEP_TICK.name, queue=UPKEEP_TICK.queue)
            assert _until(lambda: _spoken_of(collector, b"upkeep.tick"), seconds=30), said.read_text()
            for queue in (*QUEUES, f"watch.{NODE}"):
                app.control.cancel_consumer(queue, destination=[NODE])
            assert _until(lambda: worker.poll() is not None, seconds=30), said.read_text()
            assert worker.returncode == STATUS
            assert "worker_consumes_nothing" in said.read_text()
