"""The embedded Valkey: the broker, reachable through a Unix socket only."""

from __future__ import annotations

import signal
from pathlib import Path

from billing.sandbox.embedded import processes
from billing.sandbox.embedded.binaries import Binaries
from billing.sandbox.embedded.folders import Folders

# A broker must refuse a message rather than forget one.
_SETTINGS = """\
port 0
unixsocket {sockets}/valkey.sock
unixsocketperm 700
daemonize yes
pidfile {sockets}/valkey.pid
logfile {sockets}/valkey.log
loglevel warning
dir {queue}
databases 64
maxmemory-policy noeviction
save ""
appendonly {appendonly}
appendfsync everysec
"""


def start(folders: Folders, binaries: Binaries, *, fast: bool) -> bool:
    """Starts the server. True if started, False if it ran already. `fast`: nothing is kept between runs.

    Raises `EmbeddedUnavailable` if it doesn't come up.
    """
    if pid(folders) is not None:
        return False
    config = folders.base / "valkey.conf"
    config.write_text(
        _SETTINGS.format(sockets=folders.sockets, queue=folders.queue, appendonly="no" if fast else "yes")
    )
    config.chmod(0o644)
    command = [str(binaries.valkey_server), str(config)]
    log = folders.base / "launcher.log"
    started = processes.run(command, folders.account, log=log) == 0
    if not started or not processes.wait_until(lambda: _answers(folders), seconds=processes.START_SECONDS):
        raise processes.failure("Valkey", log if not started else folders.sockets / "valkey.log")
    return True


def pid(folders: Folders) -> int | None:
    """The server's process id, or None if it isn't running."""
    return processes.pid_in(folders.sockets / "valkey.pid", account=folders.account, marker=folders.sockets)


def stop(folders: Folders) -> None:
    """Ends the server in order, its log written. Nothing happens if it isn't running."""
    processes.signal_process(lambda: pid(folders), signal.SIGTERM)
    if not processes.wait_until(lambda: pid(folders) is None, seconds=processes.STOP_SECONDS):
        kill(folders)


def kill(folders: Folders) -> None:
    """Ends the server as an accident would: up to a second of messages may be lost."""
    processes.signal_process(lambda: pid(folders), signal.SIGKILL)
    processes.wait_until(lambda: pid(folders) is None, seconds=10)


def socket(folders: Folders) -> Path:
    """The Unix socket that the server listens on."""
    return folders.sockets / "valkey.sock"


def _answers(folders: Folders) -> bool:
    import redis  # noqa: PLC0415 (slow to load, and only a server that is stopped needs it)

    client = redis.Redis(unix_socket_path=str(socket(folders)))
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
