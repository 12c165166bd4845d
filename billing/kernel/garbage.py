"""Garbage: a process that bills in bulk makes many small things that live as long as a slice, and no cycles.

Python's collector looks through all that lives whenever some 700 more were made than freed. Left so, that is over a
quarter of a renewal's processor time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""So many more made than freed before the young are looked through: a slice makes about as many."""


def settle() -> None:
    """Never look again at what is loaded, and seldom at the rest. Call it once all is imported, before a fork."""
    gc.collect()
    gc.freeze()
    look_seldom()


def look_seldom() -> None:
    """Only the latter: for a command, which has loaded what it needs and won't live long enough to look it through."""
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


@contextmanager
def loading() -> Iterator[None]:
    """Modules are loaded in the block: hundreds of thousands of objects, none of them garbage; to look for some costs a
    third more. What is loaded is never looked at again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
