"""In turn: of several things to do in one run, each gets its turn, whatever became of those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def each_in_turn(turns: Iterable[Callable[[], object]], *, failed: str) -> None:
    """Do all of them, in order, and raise what they raised when all are through, as `raise_all`."""
    faults = list[Exception]()
    for turn in turns:
        try:
            turn()
        except Exception as fault:  # noqa: BLE001 (raised below, when the others have had their turn)
            faults.append(fault)
    raise_all(faults, failed=failed)


def raise_all(faults: Sequence[Exception], *, failed: str) -> None:
    """Raise what several things raised in their turns, if anything: none of it hides another.

    A fault alone is raised as it is; several as an `ExceptionGroup` of the name `failed`.
    """
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ExceptionGroup(failed, faults)
