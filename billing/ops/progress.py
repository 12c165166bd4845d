"""How far a long command is."""

from __future__ import annotations

import sys
from typing import Any, Self

import click
from rich.progress import Progress

from billing.ops.screen import Screen


class Shown:
    """Progress on standard error: bars on a terminal, else one line a stage."""

    def __init__(self) -> None:
        self._bars = Progress(console=Screen(stderr=True)) if sys.stderr.isatty() else None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done)
        elif done == total or done % max(1, total // 10) == 0:
            click.echo(f"{stage}: {done} of {total}", err=True)
