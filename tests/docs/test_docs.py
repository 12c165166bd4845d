"""The documents' commands work: every block marked `sh run` is run on a fresh database, and every command exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from billing.__main__ import cli
from billing.flows.handlers import HANDLERS, PAYPAL_HANDLERS
from billing.privacy.keyring import generate
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests.docs.warm import warm_billing

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
PAGES += [page for folder in (".", "integrate", "operate") for page in sorted((ROOT / "docs" / folder).glob("*.md"))]
FENCE = re.compile(r"^```(?P<tag>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]*[^)\s#][^)\s]*)\)")
UNLINKED = re.compile(r"(?<!\[)`([\w./-]+\.md)`")
BLOCKS = [
    pytest.param(match["body"], id=f"{page.name}-{number}")
    for page in PAGES
    for number, match in enumerate(FENCE.finditer(page.read_text()), start=1)
    if match["tag"].split() == ["sh", "run"]
]
CALLS = sorted(
    {
        line.partition("#")[0].strip()
        for page in PAGES
        for match in FENCE.finditer(page.read_text())
        if match["tag"].split()[:1] == ["sh"]
        for line in match["body"].splitlines()
        if line.startswith("billing ")
    }
)


@pytest.fixture(scope="session")
def _billing() -> Iterator[str]:
    with warm_billing() as script:
        yield script


@pytest.fixture
def environment(_billing: str, database_url: str, broker_url: str, tmp_path: Path) -> dict[str, str]:
    """Everything set, and `billing` on the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "billing"
    script.write_text(_billing)
    script.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "BILLING_"))}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "STRIPE_API_KEY": "sk_test_docs",
        "STRIPE_WEBHOOK_SECRET": "whsec_docs",
        "BILLING_SECRET_KEY": generate(),
        "BILLING_SANDBOX": "1",
    }


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_marked_to_be_run_runs(block: str, environment: dict[str, str], tmp_path: Path) -> None:
    with serving(Store(MEMORY)) as stand_in:
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", block],
            cwd=tmp_path,
            env=environment | {"STRIPE_API_BASE": stand_in.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_every_command_line_of_the_documents_is_understood(call: str) -> None:
    # Parsed to the end by the command itself, and not carried out.
    context = click.Context(cli, info_name="billing")
    command: click.Command = cli
    words = shlex.split(call)[1:]
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, call
        command = found
    command.make_context("billing", words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_that_is_named_is_a_link_and_every_link_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    leads = [target for target in LINK.findall(text) if ":" not in target]
    assert [target for target in leads if not (page.parent / target.partition("#")[0]).exists()] == []
    assert [name for name in UNLINKED.findall(text) if _page_named(page, name)] == []


def _page_named(page: Path, name: str) -> bool:
    return any((folder / name).is_file() for folder in (page.parent, ROOT / "docs", ROOT))


def test_the_endpoint_subscribes_to_each_type_that_has_a_handler_and_to_no_other() -> None:
    page = (ROOT / "docs" / "run.md").read_text()
    block = FENCE.search(page, page.index("Subscribe the webhook endpoint"))
    assert block is not None
    assert sorted(block["body"].split()) == sorted(HANDLERS)


def test_the_page_of_providers_lists_the_events_of_paypal_that_are_handled() -> None:
    page = (ROOT / "docs" / "providers.md").read_text()
    block = re.search(r"PayPal's webhook subscribes to:\n\n```text\n(?P<body>.*?)```", page, re.DOTALL)
    assert block
    assert sorted(block["body"].split()) == sorted(PAYPAL_HANDLERS)
