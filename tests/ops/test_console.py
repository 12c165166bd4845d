"""The console script: quick to help, complete in its help, and one rule for every failure."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from billing import wiring
from billing.__main__ import COMMANDS, cli
from billing.kernel.errors import (
    Fault,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUncertain,
    Refused,
    Stale,
    Unavailable,
)
from billing.ops.console import Console
from billing.ops.failures import told
from billing.ops.lazy import Entry, load
from billing.privacy.keyring import generate
from billing.privacy.sealed import SealBroken

THERE = [name for name, entry in COMMANDS.items() if importlib.util.find_spec(entry.module) is not None]
# Put together here, so that no file holds what looks like a live key.
LIVE_KEY = "_".join(["sk", "live", "Ab3" * 8])


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BROKER_URL", "STRIPE_API_KEY", "STRIPE_API_BASE", "BILLING_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    # No stack of this checkout is adopted.
    monkeypatch.setenv("BILLING_STACK", "none-of-these")
    wiring.current.cache_clear()
    yield
    wiring.current.cache_clear()


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args, prog_name="billing")


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, each in command.commands.items():
            yield from walk(each, f"{name} {inner}")


EVERY = [pair for name in THERE for pair in walk(load(COMMANDS[name], name), name)]


def test_help_loads_neither_database_nor_queue_and_no_command() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from billing.__main__ import cli; "
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0; "
        "print(sorted(name for name in sys.modules if name in {'sqlalchemy', 'celery', 'pydantic'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", THERE)
def test_the_table_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    assert COMMANDS[name].about == load(COMMANDS[name], name).get_short_help_str(1000)


@pytest.mark.parametrize(("name", "command"), EVERY, ids=[name for name, _ in EVERY])
def test_every_command_and_every_option_says_what_it_is_for(name: str, command: click.Command) -> None:
    assert command.help, name
    assert command.help.splitlines()[0].rstrip().endswith((".", ":")), name
    silent = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
    assert silent == []
    shown = run(*name.split(), "--help")
    assert (shown.exit_code, shown.stderr) == (0, "")


@pytest.mark.parametrize(
    "args",
    [
        ("nosuch",),
        ("tick", "nosuch"),
        ("work", "show"),
        ("invoice", "list", "--limit", "0"),
        ("invoice", "show", "no\udcff"),
        ("invoice", "void", "A-1", "--reason=\udcff"),
        ("draft", "remove-line", "A-1", "100001", "--reason", "x"),
        ("report", "tax", "--month", "9999-12"),
        ("report", "aging", "--as-of", "0001-01-01"),
    ],
)
def test_a_wrong_call_ends_with_2(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    if args[0] == "tick":
        assert "renewals.tick" in result.stderr


@pytest.mark.parametrize("name", ["invoice", "work", "events"])
def test_without_a_database_a_command_is_refused_with_what_to_do(name: str) -> None:
    result = run(name, "list")
    assert result.exit_code == 3
    assert result.stderr.startswith("billing: DATABASE_URL: database_missing — set it")


def test_a_groups_help_cuts_no_sentence() -> None:
    for name in THERE:
        if isinstance(load(COMMANDS[name], name), click.Group):
            listed = run(name, "--help").stdout.partition("Commands:")[2]
            assert "..." not in listed, name


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert run("--version").stdout == f"billing {project['version']}\n"


def test_an_amount_that_is_not_in_minor_units_is_refused_with_how_it_is_written() -> None:
    for call in (("refund", "A-1"), ("invoice", "credit", "A-1"), ("invoice", "mark-paid", "A-1")):
        refused = run(*call, "--amount", "15.00", "--reason", "x")
        assert refused.exit_code == 2
        assert "'15.00' is not in minor units, which are whole: 1500 for 15.00 EUR" in refused.stderr


def test_an_environment_is_told_of_a_stack_that_runs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_STACK", "test-none")
    refused = run("env")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == "billing: stack: stack_not_running — start one with `billing up`\n"
    mend = 'a program of your own gets it by `eval "$(billing env)"`'
    assert mend in run("invoice", "list").stderr, "what speaks of the embedded stack says how to find it"


def test_a_database_or_broker_that_is_down_ends_with_4_and_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    password = "a-password-nobody-sees"
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ada:{password}@127.0.0.1:1/none")
    monkeypatch.setenv("BROKER_URL", f"redis://:{password}@127.0.0.1:1/0")
    monkeypatch.setenv("BILLING_SECRET_KEY", generate())
    for args in (("invoice", "list"), ("tick", "upkeep.tick"), ("db", "upgrade"), ("db", "check")):
        result = run(*args)
        assert (args, result.exit_code) == (args, 4)
        assert len(result.stderr.splitlines()) == 1
        assert password not in result.output
        assert "start it, or mend DATABASE_URL" in result.stderr
    checked = run("check")
    verdict = "3 to mend; what waits for a person can't be read."
    assert (checked.stdout.splitlines()[0], checked.exit_code) == (verdict, 1), "no promise where nothing was read"
    assert json.loads(run("check", "--json").stdout)["need_a_person"] is None


@pytest.mark.parametrize("name", ["demo", "up", "clock", "sandbox"])
def test_the_playground_is_refused_with_a_live_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", LIVE_KEY)
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = run(name)
    assert (result.exit_code, "live_key" in result.stderr, LIVE_KEY in result.output) == (3, True, False)


@pytest.mark.parametrize("key", [f" {LIVE_KEY}", f"\t{LIVE_KEY}", f'"{LIVE_KEY}"', "sk_org_live_" + "x" * 8])
def test_a_live_key_that_was_copied_badly_is_no_test_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", key)
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = run("clock", "show")
    assert result.exit_code == 3
    assert (
        "live_key" in result.stderr
        if key.startswith("sk_org")
        else "STRIPE_API_KEY: invalid_setting — give the key as" in result.stderr
    )
    assert key.strip('" \t') not in result.output


def test_a_live_key_without_database_and_broker_is_refused_and_never_the_embedded_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", LIVE_KEY)
    result = run("invoice", "list")
    assert (result.exit_code, "DATABASE_URL, BROKER_URL" in result.stderr) == (3, True)


_AGAIN = "the same again is refused again: look at what it names, at the provider"
_RIGHTS = "mend the account's key or what it may do there, until `billing check` finds nothing"
_AWAY = "the database can't be used now: OperationalError: connection refused"


@pytest.mark.parametrize(
    ("error", "status", "sentences"),
    [
        (Refused([Fault("a", "b", "c"), Fault("d", "e", "f")]), 3, ["a: b — c", "d: e — f"]),
        (Stale("version 2 is there; reload"), 3, ["version: stale — version 2 is there; reload"]),
        (
            ProviderRefused("no such customer", code="resource_missing"),
            3,
            [f"provider: provider_refused — no such customer; {_AGAIN}"],
        ),
        (
            ProviderRefused("stripe: invalid_api_key (HTTP 401)", code="invalid_api_key", account_wide=True),
            3,
            [f"provider: provider_refused — stripe: invalid_api_key (HTTP 401); {_RIGHTS}"],
        ),
        (SealBroken("it does not open"), 3, ["order: seal_broken — it does not open"]),
        (Unavailable("the broker can't be reached"), 4, ["server: unavailable — the broker can't be reached"]),
        (
            ProviderUnavailable("timeout"),
            4,
            ["provider: provider_unavailable — the provider can't be asked now (timeout); try again later"],
        ),
        (
            ProviderUncertain("reset"),
            4,
            ["provider: provider_unavailable — the provider can't be asked now (reset); try again later"],
        ),
        (
            psycopg.OperationalError("connection refused"),
            4,
            [f"database: database_unavailable — {_AWAY}; start it, or mend DATABASE_URL"],
        ),
        (KeyError("x"), 70, ["this should not have happened: KeyError: 'x'"]),
    ],
)
def test_each_failure_has_its_status_and_one_sentence_a_fault(
    error: Exception, status: int, sentences: list[str]
) -> None:
    failed = told(error)
    assert (failed.exit_code, failed.sentences) == (status, sentences)


def test_a_fault_of_ours_shows_no_trace_and_no_secret_unless_asked_for_the_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command("break")
    def break_() -> None:
        raise ValueError(f"bad key {LIVE_KEY} of ada@example.com")

    console = Console(name="billing", entries={}, adopt=lambda: None)
    console.add_command(break_)
    console.get_command = lambda ctx, name: break_  # type: ignore[method-assign]
    result = CliRunner().invoke(console, ["break"])
    assert (result.exit_code, result.stderr.count("\n")) == (70, 1)
    assert LIVE_KEY not in result.output
    assert "ada@" not in result.output
    monkeypatch.setenv("BILLING_LOG_LEVEL", "DEBUG")
    assert "test_console.py" in CliRunner().invoke(console, ["break"]).stderr


def test_a_command_is_found_in_its_module_by_its_name() -> None:
    assert load(Entry("billing.ops.work", "about"), "work").name == "work"
