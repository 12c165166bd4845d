"""`billing sandbox code`: another one-time code for who has the key and no telephone at hand."""

from __future__ import annotations

import time

from click.testing import CliRunner, Result

from billing.__main__ import cli
from billing.privacy.one_time_code import new_secret, setup_key, step_of


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sandbox", "code", *arguments], prog_name="billing")


def test_it_tells_the_code_of_this_moment_for_a_key_as_the_demo_shows_it() -> None:
    secret = new_secret()
    told = _run(*setup_key(secret).split())
    assert told.exit_code == 0, told.output
    assert step_of(secret, told.stdout.strip(), time.time()) is not None


def test_what_is_no_key_is_a_fault_of_usage() -> None:
    refused = _run("not-a-key")
    assert (refused.exit_code, "no key" in refused.stderr) == (2, True)
