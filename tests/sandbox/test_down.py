"""`billing down` and what a kept demo holds: it stays until somebody says that it shall not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from billing.__main__ import cli
from billing.sandbox import environment
from billing.sandbox.demo import claim
from billing.sandbox.stack import Stack


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """What a demo has left: its folders and the mark of `--keep`. Nothing runs."""
    one = Stack(f"test-{secrets.token_hex(4)}")
    monkeypatch.setenv(environment.NAME, one.place.name)
    monkeypatch.setattr(environment, "DEMOS", (one.place.name,))
    # What somebody plays in this checkout meanwhile goes on.
    monkeypatch.setattr(environment, "SIMULATE", f"{one.place.name}-played")
    with claim.claimed():
        pass
    for folder in (one.place.folder, one.servers.folders.data):
        folder.mkdir()
    claim.keep(one.place)
    try:
        yield one
    finally:
        one.remove()


def _down(*options: str) -> str:
    result = CliRunner().invoke(cli, ["down", *options], prog_name="billing")
    assert result.exit_code == 0, result.output
    return result.stdout


def _data(stack: Stack) -> Path:
    return stack.servers.folders.data


def test_a_kept_demo_is_stopped_and_its_data_stay_and_it_is_told_how_it_goes_on(demo: Stack) -> None:
    told = _down()
    assert _data(demo).is_dir()
    assert f"Data of {demo.place.name} stay" in told
    assert f"`BILLING_STACK={demo.place.name} billing up`" in told
    assert "`billing down --delete-demos`" in told
    refused = CliRunner().invoke(cli, ["demo", "--months", "1"], prog_name="billing")
    assert (refused.exit_code, "--delete-demos" in refused.stderr) == (3, True), "no other demo takes it"


def test_it_is_deleted_when_that_is_asked_for_and_that_is_told(demo: Stack) -> None:
    assert f"Deleted {demo.place.name} and all that was in it." in _down("--delete-demos")
    assert not _data(demo).is_dir()


def test_what_a_killed_demo_left_is_deleted_and_that_is_told(demo: Stack) -> None:
    demo.place.folder.joinpath("kept").unlink()
    assert f"Deleted what a demo that was not kept has left of {demo.place.name}." in _down()
    assert not _data(demo).is_dir()
