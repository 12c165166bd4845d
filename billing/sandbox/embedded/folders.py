"""Where the embedded servers live: one folder per user and checkout, its owners and modes checked, never assumed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from billing.kernel.errors import Unavailable

SOCKET_PATH_LIMIT = 103  # bytes; Linux takes 107, macOS 103
_LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"


class EmbeddedUnavailable(Unavailable):
    """The embedded servers can't run here. The message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that the servers run as."""

    uid: int
    gid: int

    @property
    def is_somebody_else(self) -> bool:
        """True where we are root, which PostgreSQL refuses to run as."""
        return self.uid != os.geteuid()


@dataclass(frozen=True, slots=True)
class Folders:
    """The paths of one pair of servers. `base` is ours; the others belong to the servers' account."""

    base: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.base / "postgres"

    @property
    def queue(self) -> Path:
        return self.base / "valkey"

    @property
    def sockets(self) -> Path:
        return self.base / "run"


_ENOUGH_MEMORY = 4 * 1024**3
"""Bytes that a file system in memory must be able to hold: a cluster with its log and some databases takes one."""


def server_account() -> Account:
    """Ourselves; as root, `nobody`."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedUnavailable(
            "There is no user 'nobody' to run the embedded servers as; run as an ordinary user, "
            "or set DATABASE_URL and BROKER_URL to servers of your own."
        ) from None
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def parent_folder() -> Path:
    """A folder that every user may pass through and that survives a restart, or else the temporary one."""
    lasting = Path("/var/tmp")  # noqa: S108 - every folder made in it is checked for owner, mode and links
    return lasting if os.access(lasting, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def passing_folder() -> Path:
    """A folder in memory, where there is one of some size, for what may be thrown away; else the lasting one.

    Copying and dropping databases of 600 files each took a quarter of the tests' processor time on a disk (ext4 looks
    for inodes that were not freed a moment ago).
    """
    memory = Path("/dev/shm")  # noqa: S108 - every folder made in it is checked for owner, mode and links
    if not os.access(memory, os.W_OK | os.X_OK):
        return parent_folder()
    size = os.statvfs(memory)
    return memory if size.f_blocks * size.f_frsize >= _ENOUGH_MEMORY else parent_folder()


def folders_of(root: Path, *, lasting: bool = True) -> Folders:
    """The folders that belong to the checkout `root`; nothing is made. `lasting`: they survive a restart."""
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    parent = parent_folder() if lasting else passing_folder()
    return Folders(base=parent / f"billing-{os.geteuid()}-{digest}", account=server_account())


def prepare(folders: Folders) -> None:
    """Makes what is missing and refuses what is not ours.

    Raises `EmbeddedUnavailable` where a folder is a link, is another user's, or lies too deep for a socket.
    """
    longest = os.fsencode(f"{folders.sockets}{_LONGEST_SOCKET_NAME}")
    if len(longest) > SOCKET_PATH_LIMIT:
        raise EmbeddedUnavailable(
            f"The folder {folders.base} is too deep for a Unix socket; set TMPDIR to a shorter one."
        )
    passable = 0o755 if folders.account.is_somebody_else else 0o700
    own_folder(folders.base, uid=os.geteuid(), gid=os.getegid(), mode=passable)
    for path in (folders.data, folders.queue, folders.sockets):
        own_folder(path, uid=folders.account.uid, gid=folders.account.gid, mode=0o700)


def own_folder(path: Path, *, uid: int, gid: int, mode: int) -> None:
    """Makes `path` with this owner and mode, or checks that it already is so. Never follows a link."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise EmbeddedUnavailable(
                f"{path} is not a folder (a link is never followed); remove it and try again."
            ) from None
        if found.st_uid not in {uid, os.geteuid()}:
            raise EmbeddedUnavailable(
                f"{path} belongs to user {found.st_uid}, not to user {uid}; it is not used. Remove it and try again."
            ) from None
    except OSError as error:
        raise EmbeddedUnavailable(
            f"Cannot make the folder {path} for the embedded servers: {error.strerror}."
        ) from None
    if path.lstat().st_uid != uid:
        os.chown(path, uid, gid, follow_symlinks=False)
    path.chmod(mode)


@contextlib.contextmanager
def locked(folders: Folders) -> Iterator[None]:
    """Holds the folder's lock, so that of two starters one waits and then finds the servers running."""
    own_folder(
        folders.base, uid=os.geteuid(), gid=os.getegid(), mode=0o755 if folders.account.is_somebody_else else 0o700
    )
    path = folders.base / "lock"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _still_there(path, handle):
                yield
                return
        finally:
            os.close(handle)
        own_folder(
            folders.base, uid=os.geteuid(), gid=os.getegid(), mode=0o755 if folders.account.is_somebody_else else 0o700
        )


def _still_there(path: Path, handle: int) -> bool:
    # Whoever removes the folder does so under this lock: a waiter may then hold the lock of a file that is gone.
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_ino == os.fstat(handle).st_ino
    return False


def remove(folders: Folders) -> None:
    """Deletes the folder with all data. The servers must be stopped."""
    shutil.rmtree(folders.base, ignore_errors=True)
