"""Tracing: the steps of a run, told to whoever traces this process; to nobody unless `trace_with` was called.

A step tells ids, kinds and numbers. What it is told passes the redactor of the logs, and of an error only what this
engine says itself: the message of any other may quote what was typed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from billing.privacy.logging import correlation

Tell = Callable[..., None]
"""Adds what is known only at a step's end: `tell(outcome="declined")`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its run a step stands: it is the first one, else beneath the one with that number, else beneath this
    thread's present one, else beneath the first."""

    first: bool
    beneath: int | None


class Tracer(Protocol):
    """Takes steps of runs. Raises nothing, and waits for nobody."""

    def step(self, name: str, run: UUID, place: Place, told: Mapping[str, Any]) -> AbstractContextManager[Tell]:
        """A step of `run`."""
        ...

    def present(self, run: UUID) -> int | None:
        """The number of this thread's present step, where it is one of `run`."""
        ...

    def flush(self) -> None:
        """Send what waits, within seconds."""
        ...


_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """From now on this process's steps are told to `tracer`; None: to nobody."""
    global _tracer  # noqa: PLW0603 (one a process, as its logging is)
    _tracer = tracer


@contextmanager
def step(name: str, *, first: bool = False, beneath: str | None = None, **told: Any) -> Iterator[Tell]:
    """One step of the run that is bound (`correlated`); outside of any run, nothing.

    `first`: the run begins with it. `beneath`: a step elsewhere that led to it (see `present_step`).
    """
    run = None if _tracer is None else correlation()
    if _tracer is None or run is None:
        yield _nobody
        return
    with _tracer.step(name, run, Place(first, _number(beneath)), told) as tell:
        yield tell


def present_step() -> str | None:
    """The present step, for a message whose task goes on beneath it: 16 hexadecimal digits."""
    run = None if _tracer is None else correlation()
    number = _tracer.present(run) if _tracer is not None and run is not None else None
    return None if number is None else f"{number:016x}"


def flush_traces() -> None:
    """Before a process ends without Python's own farewell, as a worker's child does."""
    if _tracer is not None:
        _tracer.flush()


def _nobody(**_: Any) -> None:
    pass


def _number(beneath: str | None) -> int | None:
    """Whoever writes to the broker may write anything."""
    try:
        number = int(beneath or "", 16)
    except ValueError:
        return None
    return number if 0 < number < 1 << 64 else None
