from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing.sandbox import environment
from billing.sandbox.earpiece import earpiece
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import ROOT, adopt
from billing.sandbox.stack import Stack
from tests.sandbox.billing_command import billing, command, environment_for

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("stack")]
ALL = ["postgres", "valkey", "stripe", "paypal", "web", "worker-1", "beat"]
ADOPTED = ["DATABASE_URL", "BROKER_URL", "STRIPE_API_KEY", "STRIPE_API_BASE", "BILLING_SECRET_KEY", "BILLING_SANDBOX"]


@pytest.fixture(scope="module")
def made() -> Iterator[Stack]:
    one = Stack(f"test-{secrets.token_hex(4)}")
    try:
        yield one
    finally:
        one.remove()


@pytest.fixture
def stack(made: Stack) -> Stack:
    """Up and whole, whatever the test before has killed; started by `billing up --detach`, as an operator would."""
    if not all(pids(made).get(name) for name in ALL):
        said = billing(made.place.name, "up", "--detach", "--workers", "1")
        assert said.status == 0, said.err
    return made


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, stack: Stack, tmp_path: Path) -> Path:
    """Another process of this checkout, which was told nothing but the stack's name."""
    for name in [*ADOPTED, "STRIPE_WEBHOOK_SECRET"]:
        # Set first: only what was there is put back afterwards, and what `adopt` sets must not stay.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(environment.NAME, stack.place.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pids(stack: Stack) -> dict[str, int | None]:
    return {part.name: part.pid for part in stack.status()}


def test_status_names_each_process_with_its_pid_and_address(stack: Stack) -> None:
    said = billing(stack.place.name, "status", "--json")
    parts = json.loads(said.out)
    assert said.status == 0
    assert [part["name"] for part in parts] == ALL
    assert all(part["state"] == "up" and part["pid"] and part["since"].endswith("Z") for part in parts)
    assert {part["name"] for part in parts if part["address"].startswith("http://127.0.0.1:")} == {
        "stripe",
        "paypal",
        "web",
    }


def test_a_second_up_uses_what_runs(stack: Stack) -> None:
    before = pids(stack)
    said = billing(stack.place.name, "up", "--detach", BILLING_SANDBOX="1", BILLING_EXCHANGE_RATES="ecb")
    assert (said.status, "running already" in said.out) == (0, True), said.err
    assert [line.partition(" is not passed on")[0] for line in said.err.splitlines()] == ["BILLING_EXCHANGE_RATES"]
    assert pids(stack) == before


def test_secrets_stand_in_a_file_for_us_alone_and_nowhere_on_a_command_line(stack: Stack) -> None:
    assert stat.S_IMODE(stack.place.environment.stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.place.folder.stat().st_mode) == 0o700
    hidden = [stack.environment[name] for name in ("STRIPE_API_KEY", "BILLING_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")]
    lines = Path("/proc").glob("[0-9]*/cmdline")
    said = b"\n".join(_read(line) for line in lines)
    assert not [value for value in hidden if value.encode() in said]
    assert not [value for value in hidden for line in stack.log_lines() if value in line.text]


def test_another_process_adopts_the_running_stack(stack: Stack, elsewhere: Path) -> None:
    adopt()
    assert {name: os.environ.get(name) for name in ADOPTED} == {name: stack.environment[name] for name in ADOPTED}


def test_a_program_of_ones_own_gets_the_running_stacks_environment_by_one_line(stack: Stack) -> None:
    assert billing(stack.place.name, "import", "examples/integrate/seller.yaml").status == 0
    program = f"{shlex.quote(sys.executable)} -m flask --app examples/host/flask_shop.py routes"
    line = f'eval "$({shlex.join(command("env"))})"; {program}; echo "$DATABASE_URL"'
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=ROOT,
        env=environment_for(stack.place.name),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "sign_up" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == stack.environment["DATABASE_URL"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://db.example/billing"),
        ("BROKER_URL", "redis://broker.example/0"),
        ("STRIPE_API_KEY__SHOP", "sk_live_" + "x" * 8),
        ("STRIPE_API_KEY", " sk_live_" + "x" * 8),
        ("STRIPE_API_KEY", '"rk_live_' + "x" * 8 + '"'),
        ("STRIPE_API_KEY", "sk_org_live_" + "x" * 8),
    ],
)
def test_nothing_is_adopted_beside_servers_of_ones_own_or_a_live_key(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    adopt()
    assert [each for each in ADOPTED if each in os.environ and each != name] == []


@pytest.mark.parametrize(
    "line",
    [
        "DATABASE_URL=postgresql://db.example/billing",
        "STRIPE_API_KEY=rk_live_" + "x" * 8,
        "STRIPE_API_KEY__SHOP=sk_org_live_" + "x" * 8,
        "STRIPE_API_KEY = 'no_live_" + "x" * 8,
    ],
)
def test_what_stands_in_dotenv_counts_too(elsewhere: Path, line: str) -> None:
    elsewhere.joinpath(".env").write_text(f"{line}\n")
    adopt()
    assert [each for each in ADOPTED if each in os.environ] == []


def test_a_provider_key_of_ones_own_is_left_with_its_own_provider(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_mine")
    adopt()
    assert (os.environ["STRIPE_API_KEY"], "STRIPE_API_BASE" in os.environ) == ("sk_test_mine", False)
    assert "DATABASE_URL" in os.environ


def test_events_are_delivered_to_a_listener_on_this_machine_without_any_setting(stack: Stack, tmp_path: Path) -> None:
    name, file = stack.place.name, tmp_path / "more.yaml"
    billing(name, "import", "examples/integrate/seller.yaml")
    file.write_text("products:\n  - {seller: SHOP, code: heard, name: Heard}\n")
    with earpiece() as ear:
        added = billing(name, "endpoints", "add", "local", ear.url, "--reason", "to try it")
        assert added.status == 0, added.err
        tried = billing(name, "endpoints", "test", "local", "--reason", "to try it")
        assert "sent by this process with its BILLING_ENDPOINT_NETWORKS; workers go by theirs" in tried.out, tried.err
        made = billing(name, "import", str(file))
        assert made.status == 0, made.err
        assert wait_until(lambda: "product.created" in {each.event["type"] for each in ear.heard}, seconds=30)


def test_up_is_refused_with_a_live_key_and_beside_given_servers(stack: Stack) -> None:
    live = billing(stack.place.name, "up", STRIPE_API_KEY="sk_live_" + "x" * 8)
    given = billing(stack.place.name, "up", DATABASE_URL="postgresql://db.example/x", BROKER_URL="redis://b.example")
    assert (live.status, given.status) == (3, 3)
    assert "servers_given" in given.err


def test_a_killed_worker_is_missed_and_up_starts_that_one_alone_and_stops_all_on_sigterm(stack: Stack) -> None:
    before = pids(stack)
    stack.kill("worker-1")
    missing = billing(stack.place.name, "status", "--json")
    assert missing.status == 1
    assert [part["name"] for part in json.loads(missing.out) if part["state"] == "down"] == ["worker-1"]
    with up_in_the_foreground(stack) as foreground:
        assert foreground.stdout is not None
        assert any("Ctrl-C" in line for line in foreground.stdout)
        after = pids(stack)
        foreground.send_signal(signal.SIGTERM)
        foreground.communicate(timeout=60)
        assert foreground.returncode == 0
    assert after["worker-1"] not in (None, before["worker-1"])
    assert {**after, "worker-1": None} == {**before, "worker-1": None}
    assert [pid for pid in after.values() if pid and _lives(pid)] == []


def test_a_database_of_the_stack_that_has_died_is_named_with_what_starts_it_again(stack: Stack) -> None:
    name = stack.place.name
    stack.servers.kill_postgres()
    told = "the embedded stack's PostgreSQL is down; `billing up` starts it again"
    for args in (("invoice", "list"), ("clock", "show"), ("db", "check")):
        said = billing(name, *args)
        assert (args, said.status, said.out) == (args, 4, "")
        assert said.err == f"billing: database: database_unavailable — {told}\n"
    imported = billing(name, "import", "examples/integrate/seller.yaml")
    assert (imported.status, told in imported.err) == (4, True)
    checked = billing(name, "check")
    assert (checked.status, told in checked.out) == (1, True)
    asked = billing(name, "env")
    assert (asked.status, asked.out, told in asked.err) == (4, "", True)
    assert billing(name, "status").status == 1


def test_what_needs_the_database_alone_works_while_the_stacks_broker_is_down(stack: Stack) -> None:
    name = stack.place.name
    stack.servers.kill_valkey()
    told = "the embedded stack's Valkey is down; `billing up` starts it again"
    assert billing(name, "invoice", "list").status == 0
    assert billing(name, "audit", "--no-broker", "--code", "L1").status == 0
    for args in (("audit", "--code", "S2"), ("tick", "upkeep.tick"), ("clock", "advance", "+1h")):
        said = billing(name, *args)
        assert (args, said.status, said.out) == (args, 4, "")
        assert said.err.splitlines()[-1].startswith("billing: server: unavailable — the broker can't be re")
        assert said.err.endswith(f" ({told})\n")
    checked = billing(name, "check")
    assert (checked.status, told in checked.out) == (1, True)


def test_what_a_killed_up_left_behind_is_ended_by_down_and_the_data_stay(stack: Stack) -> None:
    kept = stack.environment["BILLING_SECRET_KEY"]
    with up_in_the_foreground(stack):
        assert wait_until(lambda: pids(stack)["beat"] is not None, seconds=60)
    left = [pid for pid in pids(stack).values() if pid]
    assert len(left) == len(ALL)
    assert billing(stack.place.name, "down").status == 0
    assert [pid for pid in left if _lives(pid)] == []
    assert set(pids(stack).values()) == {None}
    stopped = billing(stack.place.name, "invoice", "list")
    assert (stopped.status, "database_missing" in stopped.err) == (3, True), "what was stopped has not died"
    assert (stack.environment["BILLING_SECRET_KEY"], stack.servers.folders.data.is_dir()) == (kept, True)


@contextmanager
def up_in_the_foreground(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("up"), cwd=ROOT, env=environment_for(stack.place.name), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
