"""The ends of a process: what it reads from and writes to, where they are closed, full, or nobody is there any more."""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import suppress
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Any

from billing.kernel.errors import Fault, Refused

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def open_ends() -> None:
    """Where the caller closed them: what is written goes nowhere, and whoever reads is refused."""
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BufferedReader(_ClosedInput()))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (it stays open)


def reader_is_gone() -> bool:
    """Whether whoever read what we print has closed the pipe: enough was read, as by `head`."""
    ends = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a test's has no number
            ends.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in ends.poll(0))


def give_up() -> None:
    """Drop what can't be printed, so that the end of the process does not stumble over it once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def not_written(error: BaseException) -> Fault | None:
    """What to say of a full disk; None of any other failure."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return None
    mend = f"not all could be written ({error.strerror}); what was ordered may be done: look before you repeat it"
    return Fault("output", "not_written", mend)


def require_folder() -> None:
    """Raises `Refused` (`folder_gone`)."""
    try:
        Path.cwd()
    except FileNotFoundError:
        mend = "the folder that you are in is deleted; go to another"
        raise Refused(Fault("folder", "folder_gone", mend)) from None


class _ClosedInput(RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        mend = "standard input is closed; give it something to read, such as /dev/null"
        raise Refused(Fault("input", "input_closed", mend))
