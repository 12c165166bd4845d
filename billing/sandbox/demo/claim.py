"""A stack for this demo alone: the first that no other demo plays on and that nobody keeps."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from billing.kernel.errors import Fault, Refused
from billing.sandbox.embedded.folders import folders_of, own_folder
from billing.sandbox.environment import DEMOS, NAME, Place
from billing.sandbox.stack import Stack

_LOCK, _KEPT = "demo.lock", "kept"


@contextmanager
def claimed() -> Iterator[Stack]:
    """An empty stack; what a killed demo left in it is removed first. Raises `Refused` (`too_many_demos`)."""
    for name in [os.environ[NAME]] if os.environ.get(NAME) else DEMOS:
        stack = Stack(name)
        with _locked(stack.place) as ours:
            if ours and not is_kept(stack.place):
                stack.stop()
                _empty(stack)
                yield stack
                return
    raise Refused(
        Fault(
            "demo", "too_many_demos", "end one that runs, or delete those that were kept: `billing down --delete-demos`"
        )
    )


def keep(place: Place) -> None:
    """Mark it as kept: no other demo takes it, and `billing down` keeps its data."""
    place.folder.joinpath(_KEPT).touch(mode=0o600)


def is_kept(place: Place) -> bool:
    """Whether a demo has left it for somebody to look at."""
    return place.folder.joinpath(_KEPT).exists()


def is_played(place: Place) -> bool:
    """Whether a demo plays on it at this moment."""
    if not place.base.is_dir():
        return False
    with _locked(place) as ours:
        return not ours


def _empty(stack: Stack) -> None:
    # Not the folder itself: it holds our lock.
    folders = stack.servers.folders
    for part in (folders.data, folders.queue, stack.place.folder):
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _locked(place: Place) -> Iterator[bool]:
    folders = folders_of(place.root)
    passable = 0o755 if folders.account.is_somebody_else else 0o700
    own_folder(place.base, uid=os.geteuid(), gid=os.getegid(), mode=passable)
    path = place.base / _LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        ours = False
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another demo may have removed the folder since: then the lock is one of a file that is gone.
            ours = path.lstat().st_ino == os.fstat(handle).st_ino
        yield ours
    finally:
        os.close(handle)
