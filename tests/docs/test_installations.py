"""The examples of installations start commands that there are, with options that these understand."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker
from waitress.adjustments import Adjustments

from billing.__main__ import cli
from billing.queue.celery import make_app
from billing.queue.names import QUEUES
from billing.sandbox.programs import SERVING
from billing.settings import Settings

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "examples" / "systemd").glob("*.service"))
SERVICES = yaml.safe_load((ROOT / "examples" / "compose.yml").read_text())["services"]
CELERY = CLIContext(
    app=make_app(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0")), no_color=True, workdir=None
)
OURS = {name: each for name, each in SERVICES.items() if each.get("image") == "billing"}


def _unit(path: Path) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(path.read_text())
    return read


def _check(line: str) -> set[str]:
    """Parse a command line to its end, as the program itself would. Returns the queues that it consumes."""
    program, *args = shlex.split(line)
    name = Path(program).name
    if name == "billing":
        context = click.Context(cli, info_name="billing")
        command: click.Command = cli
        while isinstance(command, click.Group):
            found = command.get_command(context, args.pop(0))
            assert found is not None, line
            command = found
        command.make_context("billing", args)
        return set()
    if name == "waitress-serve":
        _, (served,) = Adjustments.parse_args(args)
        assert [each for each in args if each.startswith("--") and not each.startswith("--listen=")] == [*SERVING]
        module, _, attribute = served.partition(":")
        assert re.search(rf"^{attribute} = ", (ROOT / f"{module}.py").read_text(), re.MULTILINE)
        return set()
    assert name == "celery"
    assert args[:2] == ["-A", "worker"]
    assert (ROOT / "worker.py").is_file()
    parsed = {"worker": worker, "beat": beat}[args[2]].make_context(args[2], args[3:], obj=CELERY)
    return set(parsed.params.get("queues") or ())


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is_and_always_anew(path: Path) -> None:
    service = _unit(path)["Service"]
    assert service["ExecStart"].startswith("/opt/billing/.venv/bin/")
    for queue in QUEUES:
        wanted = {queue} if "%i" in service["ExecStart"] else set()
        assert _check(service["ExecStart"].replace("%i", queue).replace("%H", "host")) == wanted
    assert service.get("Type") == "oneshot" or service["Restart"] == "always"
    assert int(service.get("TimeoutStopSec", "30")) >= 30


def test_the_containers_consume_every_queue_and_are_always_started_anew() -> None:
    consumed: list[str] = []
    for name, service in OURS.items():
        consumed += _check(service["command"])
        assert name == "migrate" or service["restart"] == "always"
    assert sorted(consumed) == sorted(QUEUES)
    assert "noeviction" in SERVICES["broker"]["command"]
    dockerfile = (ROOT / "examples" / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]}
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []
