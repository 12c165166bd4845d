"""What passes by itself in a test of flows: one error, or a group of nothing else, as sweeps of several raise it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def is_only(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether it is of these kinds, or a group of such alone, however deep."""
    if isinstance(error, ExceptionGroup):
        return error.split(kinds)[1] is None
    return isinstance(error, kinds)


@contextmanager
def passing(*kinds: type[Exception]) -> Iterator[None]:
    """As `suppress`, which on Python 3.11 lets each group through."""
    try:
        yield
    except Exception as error:
        if not is_only(error, kinds):
            raise
