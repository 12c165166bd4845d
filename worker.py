"""`celery -A worker worker` and `celery -A worker beat`: stock Celery over this engine's tasks and settings."""

from __future__ import annotations

from typing import Any

from billing.kernel import garbage

with garbage.loading():
    from celery.signals import beat_init, setup_logging, worker_init, worker_process_shutdown

    import billing.tasks  # noqa: F401 (registers the tasks)
    from billing.flows.start import start
    from billing.ops.failures import in_a_sentence
    from billing.queue.celery import make_app
    from billing.sandbox.environment import adopt
    from billing.settings import load
    from billing.tasks.watching import Watcher
    from billing.wiring import current, observe, send_last_words

with in_a_sentence():
    adopt()
    settings = load()
    observe(settings, service="worker")


@setup_logging.connect  # type: ignore[untyped-decorator]
def log(**_: Any) -> None:
    """Left to itself Celery sets the level of all loggers by its own option, and our lines are lost with its own."""
    observe(settings, service="worker")


app = make_app(settings)
Watcher(app, quiet_s=settings.billing_watch_s)


@beat_init.connect  # type: ignore[untyped-decorator]
@worker_init.connect  # type: ignore[untyped-decorator]
def check(**_: Any) -> None:
    """Refuse to start on a database that is not ours to use, or with another account's key.

    By ending the process: Celery logs any exception of a signal's receiver, and goes on with the start.
    """
    with in_a_sentence(bugs=True):
        start(current())
    garbage.settle()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def part(**_: Any) -> None:
    """A child of the pool ends."""
    send_last_words()
