"""The stage of a played scenario on a test's own database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from billing.sandbox.scenario.playing import stage
from billing.sandbox.scenario.playing.stage import Stage


@contextmanager
def staged(database_url: str, *, now: datetime) -> Iterator[Stage]:
    """A fresh stage at `now`, and its sessions, for the length of the block."""
    engine = stage.engine_of(database_url)
    try:
        with stage.staged(engine, now=now) as made:
            yield made
    finally:
        engine.dispose()
