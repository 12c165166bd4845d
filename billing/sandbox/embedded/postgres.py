"""The embedded PostgreSQL: a cluster of its own, reachable through a Unix socket only."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
from pathlib import Path

import psycopg

from billing.sandbox.embedded import processes
from billing.sandbox.embedded.binaries import Binaries
from billing.sandbox.embedded.folders import Folders, own_folder

NAME = "billing"  # of the database and of the role that owns it

_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_messages": "warning",
    "jit": "off",
}
# A crash of the machine may ruin a cluster that runs so. Only for clusters that can be thrown away.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def start(folders: Folders, binaries: Binaries, *, fast: bool) -> bool:
    """Starts the server, making its cluster at first. True if started, False if it ran already.

    Raises `EmbeddedUnavailable` if it doesn't come up.
    """
    starting = pid(folders) is None
    if starting:
        _start_server(folders, binaries, fast=fast)
    # One that was found may still be recovering, or its first starter died before the database was made.
    if not processes.wait_until(lambda: _has_database(folders), seconds=processes.START_SECONDS):
        raise processes.failure("PostgreSQL", server_log(folders))
    return starting


def pid(folders: Folders) -> int | None:
    """The postmaster's process id, or None if it isn't running."""
    return processes.pid_in(folders.data / "postmaster.pid", account=folders.account, marker=folders.data)


def stop(folders: Folders, binaries: Binaries) -> None:
    """Ends the server in order: sessions are cut, the last checkpoint is written. Nothing to do if it isn't running."""
    if pid(folders) is None:
        return
    processes.run(
        [
            str(binaries.postgres / "pg_ctl"), "stop", "--wait", f"--timeout={processes.STOP_SECONDS:.0f}", "--silent",
            "--mode=fast", f"--pgdata={folders.data}",
        ],
        folders.account,
        log=_log(folders),
    )  # fmt: skip
    if not processes.wait_until(lambda: pid(folders) is None, seconds=2):
        kill(folders, immediate=True)


def kill(folders: Folders, *, immediate: bool) -> None:
    """Ends the server as an accident would; the next start recovers from the log.

    `immediate`: all processes leave at once, without a checkpoint. Otherwise the postmaster alone gets SIGKILL and
    its sessions find out by themselves.
    """
    processes.signal_process(lambda: pid(folders), signal.SIGQUIT if immediate else signal.SIGKILL)
    if not processes.wait_until(lambda: pid(folders) is None, seconds=10):
        processes.signal_process(lambda: pid(folders), signal.SIGKILL)


def dsn(folders: Folders, *, database: str = NAME) -> str:
    """The address as psycopg takes it."""
    return f"postgresql://{NAME}@/{database}?host={folders.sockets}"


def server_log(folders: Folders) -> Path:
    """Where the server writes its warnings."""
    return folders.sockets / "postgres.log"


def _log(folders: Folders) -> Path:
    return folders.base / "launcher.log"


def _start_server(folders: Folders, binaries: Binaries, *, fast: bool) -> None:
    if not folders.data.joinpath("PG_VERSION").exists():
        _make_cluster(folders, binaries, fast=fast)
    for lock in (folders.data / "postmaster.pid", folders.sockets / ".s.PGSQL.5432.lock"):
        processes.disown(lock)
    settings = _SETTINGS | (_FAST if fast else {}) | {"unix_socket_directories": f"'{folders.sockets}'"}
    config = folders.base / "postgresql.conf"
    config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    config.chmod(0o644)
    options = f"-c config_file={shlex.quote(str(config))}"
    command = [
        str(binaries.postgres / "pg_ctl"), "start", "--wait", f"--timeout={processes.START_SECONDS:.0f}", "--silent",
        f"--pgdata={folders.data}", f"--options={options}", f"--log={server_log(folders)}",
    ]  # fmt: skip
    # After a kill -9 the dead server's children hold its shared memory for some moments more, and a start fails.
    if not processes.wait_until(lambda: processes.run(command, folders.account, log=_log(folders)) == 0, seconds=10):
        raise processes.failure("PostgreSQL", server_log(folders))


def _make_cluster(folders: Folders, binaries: Binaries, *, fast: bool) -> None:
    # Made beside its place and moved there when complete, so that an interrupted initdb leaves no half cluster.
    making = folders.base / "postgres.new"
    if making.exists():
        shutil.rmtree(making)
    own_folder(making, uid=folders.account.uid, gid=folders.account.gid, mode=0o700)
    command = [
        str(binaries.postgres / "initdb"), f"--pgdata={making}", f"--username={NAME}", "--auth=trust",
        "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
    ]  # fmt: skip
    if processes.run([*command, *(["--no-sync"] if fast else [])], folders.account, log=_log(folders)) != 0:
        raise processes.failure("PostgreSQL", _log(folders))
    making.replace(folders.data)


def _has_database(folders: Folders) -> bool:
    try:
        with psycopg.connect(dsn(folders, database="postgres"), autocommit=True, connect_timeout=5) as connection:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(f"CREATE DATABASE {NAME}")
            return True
    except psycopg.OperationalError:
        return False
