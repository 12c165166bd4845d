"""Every name under which a message is sent has a task that a worker knows."""

from __future__ import annotations

import subprocess
import sys

from billing.queue import names
from billing.queue.celery import schedule
from billing.queue.names import TaskName
from billing.settings import Settings

_REGISTERED = """
import billing.tasks
from billing.queue.celery import make_app
from billing.settings import Settings
app = make_app(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0", billing_sandbox=True))
print(*app.tasks)
"""


def test_a_worker_knows_every_task_that_is_sent() -> None:
    """In a process of its own: here other tests have imported tasks one by one, which a worker does not."""
    told = subprocess.run([sys.executable, "-c", _REGISTERED], capture_output=True, text=True, check=True)
    sent = {each.name for each in vars(names).values() if isinstance(each, TaskName)}

    assert sent <= set(told.stdout.split())


def test_beat_wakes_the_audits() -> None:
    beats = schedule(Settings(_env_file=None, billing_sandbox=True))

    assert {beats[name]["options"]["queue"] for name in ("audit.tick", "audit.whole")} == {"upkeep"}


def test_new_events_are_looked_for_far_more_often_than_anything_else() -> None:
    beats = schedule(Settings(_env_file=None))
    assert beats["deliveries.tick"]["schedule"] == 2.0
    assert {each["schedule"] for name, each in beats.items() if name != "deliveries.tick"} == {60.0}
    assert schedule(Settings(_env_file=None, billing_sandbox=True))["deliveries.tick"]["schedule"] == 1.0
