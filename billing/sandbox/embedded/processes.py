"""Starting, recognising and ending the servers' processes: a pid is signalled only after it is proven to be ours."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from billing.sandbox.embedded.folders import Account, EmbeddedUnavailable

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_NO_PROCESS = 2**22 + 1  # above the highest pid that Linux or macOS gives out


def run(command: list[str], account: Account, *, log: Path) -> int:
    """Runs a server's own program as the servers' account, in a session of its own; its output is appended to `log`."""
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.is_somebody_else else {}
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab") as output:
        done = subprocess.run(  # noqa: S603 - the command is made of our own paths
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            umask=0o077,
            timeout=2 * START_SECONDS,
            check=False,
            **identity,  # type: ignore[call-overload]  # the three names are only given as root
        )
    return int(done.returncode)


def pid_in(pid_file: Path, *, account: Account, marker: Path) -> int | None:
    """The living process named by `pid_file`, or None.

    A pid may have been recycled since the file was written. So the process must belong to the servers' account and
    carry the path `marker`, which is unique to this checkout, in its command line.
    """
    try:
        pid = int(pid_file.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    facts = _facts_from_proc(pid) if Path("/proc/self/stat").exists() else _facts_from_ps(pid)
    if facts is None:
        return None
    uid, state, command = facts
    return pid if uid == account.uid and state not in "ZX" and os.fspath(marker) in command else None


def disown(lock_file: Path) -> None:
    """Makes the dead server's lock file name no process at all, keeping its other lines.

    The pid in it may now be a stranger's, or a zombie's that nobody has reaped; PostgreSQL would take either for its
    own server. It needs the other lines, to see whether the dead server's sessions have let go of their memory.
    """
    with contextlib.suppress(FileNotFoundError):
        _, _, rest = lock_file.read_text().partition("\n")
        with os.fdopen(os.open(lock_file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as rewritten:
            rewritten.write(f"{_NO_PROCESS}\n{rest}")


def signal_process(find: Callable[[], int | None], signum: signal.Signals) -> None:
    """Sends the signal to the process that `find` proves to be ours, if it is still there."""
    pid = find()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """True as soon as the condition holds, False when the time has passed without it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def failure(name: str, log: Path) -> EmbeddedUnavailable:
    """What to raise when a server doesn't start: the last line of its log, and what to do instead."""
    last = "it left no log"
    with contextlib.suppress(OSError), os.fdopen(os.open(log, os.O_RDONLY | os.O_NOFOLLOW), errors="replace") as lines:
        last = next((line.strip() for line in reversed(lines.read().splitlines()) if line.strip()), last)
    return EmbeddedUnavailable(
        f"The embedded {name} did not start ({last}); see {log}, "
        f"or set {'DATABASE_URL' if name == 'PostgreSQL' else 'BROKER_URL'} to a server of your own."
    )


def _facts_from_proc(pid: int) -> tuple[int, str, str] | None:
    place = Path(f"/proc/{pid}")
    try:
        state = place.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        command = place.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return place.stat().st_uid, state, command
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _facts_from_ps(pid: int) -> tuple[int, str, str] | None:
    listed = subprocess.run(  # noqa: S603 - a fixed program and a number
        ["/bin/ps", "-ww", "-o", "uid=,stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    fields = listed.stdout.split(maxsplit=2)
    return (int(fields[0]), fields[1][0], fields[2]) if len(fields) == 3 else None
